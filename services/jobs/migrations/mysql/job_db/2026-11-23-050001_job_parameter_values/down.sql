DROP TABLE JobParameterValues;
