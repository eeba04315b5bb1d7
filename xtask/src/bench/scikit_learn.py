"""Prints how many nanoseconds scikit-learn's IsolationForest takes on one thread, as JSON."""

import json
import statistics
import time

import numpy
from sklearn.ensemble import IsolationForest

rows = numpy.random.default_rng(1).random((100_000, 6))


def median(work, times):
    taken = []
    for _ in range(times):
        start = time.perf_counter_ns()
        work()
        taken.append(time.perf_counter_ns() - start)
    return statistics.median(taken)


forest = IsolationForest(n_estimators=100, max_samples=256, random_state=1).fit(rows)
print(
    json.dumps(
        {
            "fit": median(lambda: IsolationForest(n_estimators=100, max_samples=256, random_state=1).fit(rows), 5),
            "score": median(lambda: forest.score_samples(rows), 3),
        }
    )
)
