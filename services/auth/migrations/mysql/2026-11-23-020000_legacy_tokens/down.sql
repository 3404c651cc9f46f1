DROP TABLE IF EXISTS LegacyRefreshTokens;
