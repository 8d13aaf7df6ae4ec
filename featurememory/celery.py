"""The job runner: Celery on the filesystem (embedded) or on Redis (scaled out), with one schedule."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, signals

from featurememory.scheduling.broker import register
from featurememory.scheduling.due import LONGEST_RUN

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "featurememory.settings")

SCHEDULER = "featurememory.scheduling.beat:RememberingScheduler"
LONGEST_TASK_S = round(LONGEST_RUN.total_seconds())


def _transport(broker_dir: str) -> dict[str, Any]:
    return {
        "data_folder_in": broker_dir,
        "data_folder_out": broker_dir,
        "control_folder": os.path.join(broker_dir, "control"),
        "polling_interval": 0.5,
    }


def make_app() -> Celery:
    """The Celery application that the configuration describes."""
    from django.conf import settings

    configuration = settings.CONFIGURATION
    app = Celery("featurememory", broker=configuration.redis_url or register())
    if configuration.redis_url:
        app.conf.broker_transport_options = {
            "visibility_timeout": 2 * LONGEST_TASK_S,
            "unacked_restore_interval": 3,
        }
    else:
        os.makedirs(configuration.broker_dir / "control", exist_ok=True)
        app.conf.broker_transport_options = _transport(str(configuration.broker_dir))
    app.conf.update(
        task_acks_late=True,
        task_ignore_result=True,
        task_time_limit=LONGEST_TASK_S,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_pool="threads",
        worker_concurrency=2,
        broker_connection_retry_on_startup=True,
        beat_scheduler=SCHEDULER,
        beat_max_loop_interval=1,  # also what stopping may wait for
        timezone="UTC",
    )
    app.autodiscover_tasks(["featurememory"], related_name="jobs")
    return app


app = make_app()


@app.on_after_finalize.connect
def _schedule(sender: Celery, **_: Any) -> None:
    import featurememory.jobs  # noqa: F401 - which puts them on the schedule
    from featurememory.scheduling.schedule import celery_schedule

    sender.conf.beat_schedule = celery_schedule()


@signals.worker_ready.connect
def _worker_lives(**_: Any) -> None:
    _start_heartbeat("worker")


@signals.beat_init.connect
@signals.beat_embedded_init.connect
def _beat_lives(**_: Any) -> None:
    _start_heartbeat("beat")


def _start_heartbeat(role: str) -> None:
    from featurememory.resource_management.monitor import ProcessMonitor
    from featurememory.serving.heartbeat import Heartbeat

    heartbeat = Heartbeat(role, monitor=ProcessMonitor(with_supervisor=role == "worker"))
    heartbeat.start()
    signals.worker_shutdown.connect(lambda **_: heartbeat.stop(), weak=False)
