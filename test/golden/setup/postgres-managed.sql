CREATE ROLE "sluice" LOGIN PASSWORD <the password, in single quotes>;

GRANT CONNECT, TEMPORARY ON DATABASE "analytics" TO "sluice";
GRANT USAGE ON SCHEMA "public" TO "sluice";
GRANT SELECT ON ALL TABLES IN SCHEMA "public" TO "sluice";
ALTER DEFAULT PRIVILEGES IN SCHEMA "public" GRANT SELECT ON TABLES TO "sluice";

GRANT CREATE ON DATABASE "analytics" TO "sluice";
