"""How fast a GPU trains and embeds: ``make speed-gpu``. Needs no data and no network, and ten minutes at most.

``parts.py`` has what is measured, ``bench.py`` how, ``report.py`` the table, ``__main__.py`` the order, the time and
the files. One test runs all of it at tiny sizes on a CPU.
"""
