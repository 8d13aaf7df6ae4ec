"""Pages as somebody likes to see them."""

from django.conf import settings
from django.db import models


class SavedView(models.Model):
    """A page's address with all that was chosen on it, under a name."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views", db_index=False
    )
    name = models.CharField(max_length=60)
    page = models.CharField(max_length=100, help_text="the page's path")
    query = models.CharField(max_length=2_000, blank=True)
    is_shared = models.BooleanField(default=False, help_text="whether everybody sees it")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("name",)
        constraints = (models.UniqueConstraint(fields=["owner", "page", "name"], name="saved_view_once"),)
        indexes = (models.Index(fields=["page", "name"], name="saved_view_page"),)
        permissions = (("operate_views", "Can share views with everybody"),)

    def __str__(self) -> str:
        return self.name
