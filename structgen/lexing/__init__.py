"""Grammars whose text is cut into terminals by maximal munch: lexer, LALR tables, what the kernels read."""
