"""What Django's accounts do not hold: where people are signed in, and whose password somebody else has drawn."""

from django.conf import settings
from django.db import models


class SignIn(models.Model):
    """One browser in which somebody is signed in; goes with its session."""

    session = models.OneToOneField("sessions.Session", on_delete=models.CASCADE, related_name="sign_in")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sign_ins")
    address = models.CharField(max_length=64, blank=True, help_text="where the request came from")
    user_agent = models.CharField(max_length=300, blank=True)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField(help_text="to the minute")

    class Meta:
        default_permissions = ()
        indexes = (models.Index(fields=["user", "seen_at"], name="sign_in_user_seen"),)

    def __str__(self) -> str:
        return f"{self.user_id} from {self.address}"


class GivenPassword(models.Model):
    """There while a person still has the password that was drawn for them."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="given_password"
    )
    given_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.user_id)
