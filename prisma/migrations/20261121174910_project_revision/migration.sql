-- CreateTable
CREATE TABLE "project_revision" (
    "project_id" UUID NOT NULL,
    "revision" BIGINT NOT NULL,

    CONSTRAINT "project_revision_pkey" PRIMARY KEY ("project_id")
);

-- The transaction's own number: another one for each. Deferred, so that it is the last row that a transaction locks.
CREATE FUNCTION renew_project_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO project_revision AS known (project_id, revision)
  VALUES (coalesce(NEW.project_id, OLD.project_id), pg_current_xact_id()::text::bigint)
  ON CONFLICT (project_id) DO UPDATE SET revision = excluded.revision WHERE known.revision <> excluded.revision;
  RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER metric_revision AFTER INSERT OR UPDATE OR DELETE ON metric
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION renew_project_revision();

CREATE CONSTRAINT TRIGGER entity_mapping_revision AFTER INSERT OR UPDATE OR DELETE ON entity_mapping
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION renew_project_revision();

CREATE CONSTRAINT TRIGGER catalog_table_revision AFTER UPDATE ON catalog_table
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN ((OLD.columns, OLD.database, OLD.schema, OLD.name) IS DISTINCT FROM (NEW.columns, NEW.database, NEW.schema, NEW.name))
  EXECUTE FUNCTION renew_project_revision();

CREATE CONSTRAINT TRIGGER datastore_revision AFTER UPDATE ON datastore
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN ((OLD.name, OLD.engine) IS DISTINCT FROM (NEW.name, NEW.engine))
  EXECUTE FUNCTION renew_project_revision();
