# %% [markdown]
# # The pipeline from Python
#
# Each `# %%` begins a cell: editors (VS Code, Spyder, PyCharm) run them one by one, and `jupytext --to ipynb docs/notebook.py`
# makes a Jupyter notebook of the file; there, `%matplotlib inline` shows the figures. The words are those of the command line.

# %%
import pipeline as bp

# %% [markdown]
# ## One run
#
# The worked example with another learning rate. Nothing is recorded.

# %%
run = bp.train(learning_rate=2, threshold=1e-4)
print(run)
print(run.curve.tail(3))
print({name: array.shape for name, array in run.weights.items()})

# %% [markdown]
# Overrides as on the command line, and keys with a dot:

# %%
print(bp.train("task=xor", "network=trained", "initial=uniform", seed=3, learning_rate=5, **{"network.hidden": [4]}))

# %% [markdown]
# ## A sweep
#
# Every combination of the axes, trained in this process. With `record=True` it is in MLflow, too.

# %%
sweep = bp.sweep(
    "task=xor", "network=trained", "initial=uniform",
    learning_rate=[0.5, 2, 8], **{"initial.range": [0.5, 2]}, seed=range(20), max_epochs=2000, threshold=1e-2,
)  # fmt: skip
print(repr(sweep))
print(sweep.results.head())

# %% [markdown]
# Rates, expected running times and quartiles by axis, and the best setting:

# %%
print(sweep.by("learning_rate"))
print(sweep.best)

# %% [markdown]
# The runs that went worst, as curves:

# %%
curves = sweep.curves(worst=3)
print(curves.groupby("run").tail(1))

# %% [markdown]
# A heat map of two axes, and its numbers without the drawing:

# %%
figure = sweep.heat_map("initial.range", "learning_rate")
figure.savefig("heat_map.png")
print(sweep.summary.heat_map("initial.range", "learning_rate"))

# %% [markdown]
# Any other figure of the report by its name, over the most telling axes or over a given one:

# %%
for name in ("rate_map", "error_curves", "survival", "run_lengths", "profiles", "weights"):
    sweep.figure(name).savefig(f"{name}.png")
sweep.figure("cost", "initial.range").savefig("cost.png")

# %% [markdown]
# ## What is recorded
#
# The latest sweep of the store, one by its run id, or several side by side.

# %%
recorded = bp.sweep("initial=uniform", learning_rate=[0.5, 5], seed=range(5), max_epochs=2000, record=True)
again = bp.load("latest")
assert (again.results["digest"] == recorded.results["digest"]).all()
print(again.by("learning_rate"))
