DROP TABLE StatusReturns;
DROP TABLE StatusPlans;
