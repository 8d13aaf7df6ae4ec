"""The sequence's only row."""

from django.db import migrations


def make_row(apps, schema_editor):
    apps.get_model("featurememory", "LiveSequence").objects.get_or_create(id=1)


class Migration(migrations.Migration):
    dependencies = [("featurememory", "0001_initial")]

    operations = [migrations.RunPython(make_row, migrations.RunPython.noop)]
