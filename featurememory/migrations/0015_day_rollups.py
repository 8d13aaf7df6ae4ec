"""Day rollups for the hours that are there already: from now on days hold the sums of their hours from the start."""

from itertools import groupby

from django.db import migrations, models

from featurememory.observability.histogram import HistogramSum

HOUR, DAY, BLOCKS_A_DAY = 3_600, 86_400, 144
ADDED = ("success", "error", "timeout", "cancelled", "rejected", "duration_sum_ms")
COLUMNS = ("start", "duration_max_ms", "histogram", *ADDED)


def add_days(apps, schema_editor):
    """A day some of whose hours were summed up into it before takes the others in."""
    Rollup = apps.get_model("featurememory", "Rollup")
    for series_id in apps.get_model("featurememory", "Series").objects.values_list("pk", flat=True):
        hours = Rollup.objects.filter(series_id=series_id, resolution=HOUR).order_by("start")
        summed = Rollup.objects.filter(series_id=series_id, resolution=DAY)
        known = {row.start: row for row in summed}
        days = []
        by_day = groupby(hours.values_list(*COLUMNS).iterator(2_000), lambda row: row[0].replace(hour=0))
        for start, rows in by_day:
            _, longest, histograms, *added = zip(*rows, strict=True)
            day = known.get(start) or Rollup(series_id=series_id, resolution=DAY, start=start)
            for name, values in zip(ADDED, added, strict=True):
                setattr(day, name, getattr(day, name) + sum(values))
            day.duration_max_ms = max(day.duration_max_ms, *longest)
            day.histogram = merged([bytes(day.histogram), *histograms])
            if day.pk:
                day.save()
            else:
                days.append(day)
        Rollup.objects.bulk_create(days, batch_size=500)


def mark_days(apps, schema_editor):
    RollupMark = apps.get_model("featurememory", "RollupMark")
    days = {-1 - block // BLOCKS_A_DAY for block in RollupMark.objects.values_list("block", flat=True)}
    RollupMark.objects.bulk_create((RollupMark(block=day, mark=1) for day in sorted(days)), batch_size=500)


def only_marks_of_blocks(apps, schema_editor):
    apps.get_model("featurememory", "RollupMark").objects.filter(block__lt=0).delete()


def merged(histograms):
    whole = HistogramSum()
    for each in histograms:
        whole.add(HistogramSum.from_bytes(each))
    return whole.to_bytes()


def only_days_without_hours(apps, schema_editor):
    """What hours still say would be counted twice. The part of a day whose hours are gone goes with it."""
    Rollup = apps.get_model("featurememory", "Rollup")
    first = Rollup.objects.filter(resolution=HOUR).order_by("start").values_list("start", flat=True).first()
    if first is not None:
        Rollup.objects.filter(resolution=DAY, start__gte=first.replace(hour=0)).delete()


class Migration(migrations.Migration):
    dependencies = [("featurememory", "0014_people_and_audit")]

    operations = [
        migrations.AlterField(
            model_name="rollupmark",
            name="block",
            field=models.IntegerField(
                help_text="ten minutes each, counted from the Unix epoch; of day n it is -1 - n",
                primary_key=True,
                serialize=False,
            ),
        ),
        migrations.RunPython(add_days, only_days_without_hours),
        migrations.RunPython(mark_days, only_marks_of_blocks),
    ]
