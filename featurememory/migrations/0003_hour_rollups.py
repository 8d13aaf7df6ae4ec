"""Hour rollups and marks for the minutes that are there already, so that pages show what was before."""

from itertools import groupby

from django.db import migrations, models

from featurememory.observability.histogram import HistogramSum

MINUTE, HOUR, BLOCK = 60, 3_600, 600
ADDED = ("success", "error", "timeout", "cancelled", "rejected", "duration_sum_ms")
COLUMNS = ("start", "duration_max_ms", "histogram", *ADDED)


def add_hours(apps, schema_editor):
    Rollup = apps.get_model("featurememory", "Rollup")
    RollupMark = apps.get_model("featurememory", "RollupMark")
    blocks = set()
    for series_id in apps.get_model("featurememory", "Series").objects.values_list("pk", flat=True):
        minutes = Rollup.objects.filter(series_id=series_id, resolution=MINUTE).order_by("start")
        hours = []
        by_hour = groupby(minutes.values_list(*COLUMNS).iterator(2_000), lambda row: row[0].replace(minute=0))
        for hour, rows in by_hour:
            starts, longest, histograms, *added = zip(*rows, strict=True)
            blocks.update(int(start.timestamp()) // BLOCK for start in starts)
            hours.append(
                Rollup(
                    series_id=series_id,
                    resolution=HOUR,
                    start=hour,
                    duration_max_ms=max(longest),
                    histogram=merged(histograms),
                    **dict(zip(ADDED, map(sum, added), strict=True)),
                )
            )
        Rollup.objects.bulk_create(hours, batch_size=500)
    RollupMark.objects.bulk_create(
        (RollupMark(block=each, mark=1) for each in sorted(blocks)), batch_size=500
    )


def merged(histograms):
    whole = HistogramSum()
    for each in histograms:
        whole.add(HistogramSum.from_bytes(each))
    return whole.to_bytes()


def remove_hours(apps, schema_editor):
    apps.get_model("featurememory", "Rollup").objects.filter(resolution=HOUR).delete()


class Migration(migrations.Migration):
    dependencies = [("featurememory", "0002_live_sequence")]

    operations = [
        migrations.CreateModel(
            name="RollupMark",
            fields=[
                (
                    "block",
                    models.IntegerField(
                        help_text="ten minutes each, counted from the Unix epoch",
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("mark", models.BigIntegerField(help_text="a random number; each transaction draws another")),
            ],
        ),
        migrations.RunPython(add_hours, remove_hours),
    ]
