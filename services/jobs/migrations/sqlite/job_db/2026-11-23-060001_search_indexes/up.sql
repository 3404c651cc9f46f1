-- Indexes for what people search for and count within their VO.
CREATE INDEX IF NOT EXISTS VO ON Jobs (VO);
CREATE INDEX IF NOT EXISTS VoStatusSite ON Jobs (VO, Status, Site);
CREATE INDEX IF NOT EXISTS VoOwnerStatus ON Jobs (VO, Owner, Status, Site);
