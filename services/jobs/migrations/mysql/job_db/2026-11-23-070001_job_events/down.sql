DROP TABLE JobEvents;
