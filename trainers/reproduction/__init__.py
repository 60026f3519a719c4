"""The reproduction book: tables of the papers, run by one command, written to `docs/reproduction.md`.

`tables` says what a table is, `contents` which there are, `cells` runs them, `experiments` holds those that train
nothing, `book` and `plots` write the page from the results files.
"""
