DROP TABLE SubmissionRequests;
