import django.db.models.deletion
from django.db import migrations, models

_ROWS_AT_ONCE = 500


def draw_maps(apps, schema_editor):
    """Spaces calibrated before there were maps have lost their first vectors: the oldest patterns give the plane."""
    import numpy as np

    from featurememory.core.projection import principal_plane

    pattern_map = apps.get_model("featurememory", "PatternMap")
    pattern = apps.get_model("featurememory", "Pattern")
    for space in (
        apps.get_model("featurememory", "FeatureSpace").objects.defer("calibration").filter(version__gt=0)
    ):
        patterns = pattern.objects.filter(space=space).only("centroid").order_by("pk")
        oldest = _centroids(patterns[:_ROWS_AT_ONCE]) or [np.zeros(space.dimension, np.float32)]
        plane = principal_plane(np.stack(oldest))
        pattern_map.objects.create(space=space, axes=plane.to_bytes())
        ids = list(patterns.values_list("pk", flat=True))
        for start in range(0, len(ids), _ROWS_AT_ONCE):
            rows = list(patterns.filter(pk__in=ids[start : start + _ROWS_AT_ONCE]))
            for row, place in zip(rows, plane.places(np.stack(_centroids(rows))).tolist(), strict=True):
                row.x, row.y = place
            pattern.objects.bulk_update(rows, ["x", "y"], batch_size=100)


def _centroids(rows):
    from featurememory.core.spaces import vector_from_bytes

    return [vector_from_bytes(bytes(row.centroid)) for row in rows]


class Migration(migrations.Migration):
    dependencies = [
        ("featurememory", "0005_optimizations"),
    ]

    operations = [
        migrations.CreateModel(
            name="PatternMap",
            fields=[
                (
                    "space",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="pattern_map",
                        serialize=False,
                        to="featurememory.featurespace",
                    ),
                ),
                ("axes", models.BinaryField(help_text="two, each at length 1; float32, little endian")),
            ],
        ),
        migrations.AlterModelOptions(
            name="pattern",
            options={
                "ordering": ("-id",),
                "permissions": (("operate_pattern", "Can label, pin, merge and forget patterns"),),
            },
        ),
        migrations.AddField(
            model_name="pattern",
            name="x",
            field=models.FloatField(default=0, help_text="of its centroid, on the space's map"),
        ),
        migrations.AddField(model_name="pattern", name="y", field=models.FloatField(default=0)),
        migrations.AddIndex(
            model_name="pattern", index=models.Index(fields=["space", "count"], name="pattern_count")
        ),
        migrations.AddIndex(
            model_name="pattern",
            index=models.Index(condition=models.Q(("pinned", True)), fields=["space"], name="pattern_pinned"),
        ),
        migrations.RunPython(draw_maps, migrations.RunPython.noop),
    ]
