from tests.optimization.stored import *
from featurememory.models import *
import time


def test_smoke(situation, sign_in):
    t = time.time()
    situation("normal")
    print("situation", time.time() - t)
    c = sign_in("olga")
    o = Optimization.objects.exclude(arm__number=0).first()
    r = Recommendation.objects.exclude(source="baseline").first()
    for p in [
        "/optimizations/",
        "/optimizations/gains/",
        f"/optimizations/{o.pk}/",
        f"/optimizations/{o.pk}/rewards.csv",
        f"/optimizations/{o.pk}/promote/",
        f"/optimizations/?study={o.study_id}&text=steps=20",
        f"/studies/{o.study_id}/propose/",
        f"/parameter-sets/{o.arm_id}/retire/",
        f"/recommendations/{r.pk}/",
        "/learning-settings/",
        "/learning-settings/?preview=yes&aim=score",
        "/learning-settings/operation-type/text_to_audio/",
    ]:
        t = time.time()
        x = c.get(p)
        print(p, x.status_code, len(x.content), time.time() - t)
    for s in Study.objects.all():
        print(s, s.operations)
    for o in Optimization.objects.select_related("arm"):
        print(o.pk, o.arm, o.pattern, o.status, o.trials, o.effect)
    print([(e.before, e.after, e.cause) for e in OptimizationEvent.objects.all()])
