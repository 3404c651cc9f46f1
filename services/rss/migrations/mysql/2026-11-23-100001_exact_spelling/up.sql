-- What differs in case is something else here, as it is in memory. DIRAC's own tables stay as they are.
ALTER TABLE StatusPlans CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
ALTER TABLE StatusReturns CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
