"""Usage: SEEDS FILE...  Prints, for each table, the ROC-AUC of scikit-learn's IsolationForest for each seed as JSON."""

import gzip
import json
import sys
import warnings

import numpy
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

# Tables of fewer rows than a tree would take are no mistake here.
warnings.filterwarnings("ignore", message="max_samples")

seeds = int(sys.argv[1])
for path in sys.argv[2:]:
    with (gzip.open if path.endswith(".gz") else open)(path, "rt") as file:
        names = file.readline().strip().split(",")
        table = numpy.loadtxt(file, delimiter=",", ndmin=2)
    label = names.index("label")
    anomalies = table[:, label] != 0
    rows = numpy.delete(table, label, axis=1)
    areas = []
    for seed in range(seeds):
        forest = IsolationForest(n_estimators=100, max_samples=256, random_state=seed).fit(rows)
        areas.append(roc_auc_score(anomalies, -forest.score_samples(rows)))
    print(json.dumps({"file": path, "auc": areas}), flush=True)
