"""All benchmarks, one after the other."""

from benchmarks import first_use, scaling, training, uneven

training.main([])
uneven.main()
scaling.main()
first_use.main()
