-- What our dialect and catalog ask of Redshift that PostgreSQL does not have, in the schema "redshift" of a test's database.

CREATE SCHEMA redshift;
CREATE DOMAIN redshift.super AS jsonb;

CREATE FUNCTION redshift.version() RETURNS text LANGUAGE sql IMMUTABLE
  AS $$ SELECT 'PostgreSQL 8.0.2, Redshift of a test' $$;

-- A type by the name that Redshift has for it.
CREATE FUNCTION redshift.type_name(type oid, modifier integer) RETURNS text LANGUAGE sql STABLE
  AS $$ SELECT CASE WHEN pg_catalog.format_type(type, modifier) IN ('jsonb', 'super', 'redshift.super') THEN 'super'
    ELSE pg_catalog.format_type(type, modifier) END $$;

CREATE FUNCTION redshift.json_parse(text) RETURNS redshift.super LANGUAGE sql IMMUTABLE STRICT
  AS $$ SELECT $1::jsonb::redshift.super $$;
CREATE FUNCTION redshift.json_serialize(redshift.super) RETURNS varchar LANGUAGE sql IMMUTABLE STRICT
  AS $$ SELECT $1::text::varchar $$;
CREATE FUNCTION redshift.can_json_parse(text) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT
  AS $$ SELECT pg_input_is_valid($1, 'jsonb') $$;
CREATE FUNCTION redshift.is_object(redshift.super) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT
  AS $$ SELECT jsonb_typeof($1) = 'object' $$;
-- The empty text for what is missing; NULL for what is no JSON.
CREATE FUNCTION redshift.json_extract_path_text(text, text, boolean) RETURNS varchar LANGUAGE sql IMMUTABLE STRICT
  AS $$ SELECT CASE WHEN pg_input_is_valid($1, 'jsonb') THEN coalesce(CAST(concat($1) AS jsonb) ->> $2, '') END $$;

CREATE FUNCTION redshift.dateadd(unit text, count integer, of timestamp) RETURNS timestamp LANGUAGE sql IMMUTABLE
  AS $$ SELECT of + count * CAST('1 ' || unit AS interval) $$;
CREATE FUNCTION redshift.datediff(unit text, since timestamp, until timestamp) RETURNS bigint LANGUAGE sql IMMUTABLE
  AS $$ SELECT CAST(extract(epoch FROM date_trunc(unit, until) - date_trunc(unit, since)) AS bigint)
    / CASE unit WHEN 'day' THEN 86400 ELSE 1 END $$;

-- Of a text it gives no boolean and no text, and nothing of a blank one.
CREATE FUNCTION redshift.try_cast(value text, of anyelement) RETURNS anyelement LANGUAGE plpgsql IMMUTABLE
  AS $$ BEGIN
    IF pg_typeof(of) IN ('boolean'::regtype, 'varchar'::regtype, 'text'::regtype) THEN
      RAISE 'TRY_CAST from character varying to % is not supported', pg_typeof(of) USING ERRCODE = 'feature_not_supported';
    END IF;
    IF trim(value) = '' THEN RAISE 'TRY_CAST of a blank text' USING ERRCODE = 'feature_not_supported'; END IF;
    EXECUTE format('SELECT CAST($1 AS %s)', pg_typeof(of)) INTO of USING value;
    RETURN of;
  EXCEPTION WHEN data_exception THEN RETURN NULL;
  END $$;

-- There is no cast between texts and booleans; what is written in quotes is no text yet.
CREATE FUNCTION redshift.no_cast(of text, into_type text) RETURNS text LANGUAGE plpgsql IMMUTABLE
  AS $$ BEGIN RAISE 'cannot cast type % to %', of, into_type USING ERRCODE = 'cannot_coerce'; END $$;
CREATE FUNCTION redshift.no_text(boolean) RETURNS varchar LANGUAGE sql IMMUTABLE
  AS $$ SELECT redshift.no_cast('boolean', 'character varying')::varchar $$;
CREATE FUNCTION redshift.no_boolean(varchar) RETURNS boolean LANGUAGE sql IMMUTABLE
  AS $$ SELECT redshift.no_cast('character varying', 'boolean') IS NULL $$;
UPDATE pg_cast SET castfunc = 'redshift.no_text'::regproc
  WHERE castsource = 'boolean'::regtype AND casttarget IN ('varchar'::regtype, 'text'::regtype);
CREATE CAST (varchar AS boolean) WITH FUNCTION redshift.no_boolean(varchar);

CREATE VIEW redshift.svv_tables AS
  SELECT table_catalog, table_schema, table_name, table_type FROM information_schema.tables WHERE table_schema <> 'redshift';
CREATE VIEW redshift.svv_columns AS
  SELECT table_catalog, table_schema, table_name, column_name, ordinal_position, is_nullable,
    CASE WHEN domain_name = 'super' THEN 'super' WHEN data_type = 'text' THEN 'character varying' ELSE data_type END AS data_type,
    character_maximum_length, numeric_precision, numeric_scale
  FROM information_schema.columns WHERE table_schema <> 'redshift';
CREATE VIEW redshift.svv_table_info AS
  SELECT table_schema AS "schema", table_name AS "table",
    CAST(CAST((xpath('//c/text()', query_to_xml(format('SELECT count(*) AS c FROM %I.%I', table_schema, table_name), false, true, '')))[1] AS text) AS numeric) AS tbl_rows
  FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema', 'redshift');
