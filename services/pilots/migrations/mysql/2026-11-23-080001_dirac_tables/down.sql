-- The tables are shared with DIRAC and DiracX: they are never dropped from here.
SELECT 1;
