-- CreateEnum
CREATE TYPE "MetricKind" AS ENUM ('SIMPLE', 'RATIO', 'DERIVED', 'CUMULATIVE', 'CONVERSION');

-- CreateEnum
CREATE TYPE "Grain" AS ENUM ('MINUTE', 'HOUR', 'DAY', 'WEEK', 'MONTH', 'QUARTER', 'YEAR');

-- CreateEnum
CREATE TYPE "SignalOperator" AS ENUM ('GT', 'GTE', 'LT', 'LTE', 'EQ', 'NEQ');

-- CreateEnum
CREATE TYPE "SignalMeasure" AS ENUM ('VALUE', 'CHANGE', 'CHANGE_PERCENT');

-- CreateEnum
CREATE TYPE "SignalState" AS ENUM ('OK', 'TRIGGERED', 'NO_DATA');

-- AlterEnum
ALTER TYPE "TaskTrigger" ADD VALUE 'UPSTREAM';

-- AlterTable
ALTER TABLE "catalog_table" ADD COLUMN     "gone_at" TIMESTAMPTZ(3);

-- AlterTable
ALTER TABLE "task" ADD COLUMN     "transformation_id" UUID;

-- CreateTable
CREATE TABLE "table_feed" (
    "id" UUID NOT NULL,
    "project_id" UUID NOT NULL,
    "table_id" UUID NOT NULL,
    "job_id" UUID,
    "stream" TEXT,
    "transformation_id" UUID,
    "task_id" UUID,
    "written_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "table_feed_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "entity_mapping" (
    "id" UUID NOT NULL,
    "project_id" UUID NOT NULL,
    "kind" "EntityKind" NOT NULL,
    "table_id" UUID NOT NULL,
    "key" TEXT NOT NULL,
    "columns" JSONB NOT NULL,
    "properties_column" TEXT,
    "properties" JSONB,
    "alias_table_id" UUID,
    "alias_key" TEXT,
    "canonical_key" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "entity_mapping_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "metric" (
    "id" UUID NOT NULL,
    "project_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "title" TEXT NOT NULL,
    "description" TEXT,
    "kind" "MetricKind" NOT NULL,
    "definition" JSONB NOT NULL,
    "revision" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,
    "created_by" UUID,
    "updated_by" UUID,
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "metric_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "signal" (
    "id" UUID NOT NULL,
    "project_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "metric_id" UUID NOT NULL,
    "operator" "SignalOperator" NOT NULL,
    "threshold" DOUBLE PRECISION NOT NULL,
    "measure" "SignalMeasure" NOT NULL,
    "grain" "Grain" NOT NULL,
    "cron" TEXT,
    "time_zone" TEXT,
    "next_run_at" TIMESTAMPTZ(3),
    "cooldown_minutes" INTEGER NOT NULL DEFAULT 0,
    "webhook" JSONB,
    "state" "SignalState" NOT NULL DEFAULT 'NO_DATA',
    "evaluated_at" TIMESTAMPTZ(3),
    "notified_at" TIMESTAMPTZ(3),
    "alarmed" BOOLEAN NOT NULL DEFAULT false,
    "claimed_until" TIMESTAMPTZ(3),
    "tables_at" TIMESTAMPTZ(3),
    "revision" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,
    "created_by" UUID,
    "updated_by" UUID,
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "signal_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "signal_table" (
    "signal_id" UUID NOT NULL,
    "table_id" UUID NOT NULL,
    "seen_at" TIMESTAMPTZ(3),

    CONSTRAINT "signal_table_pkey" PRIMARY KEY ("signal_id","table_id")
);

-- CreateTable
CREATE TABLE "signal_evaluation" (
    "id" UUID NOT NULL,
    "project_id" UUID NOT NULL,
    "signal_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "state" "SignalState" NOT NULL,
    "value" DOUBLE PRECISION,
    "previous_value" DOUBLE PRECISION,
    "message" TEXT NOT NULL,

    CONSTRAINT "signal_evaluation_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "webhook_delivery" (
    "evaluation_id" UUID NOT NULL,
    "project_id" UUID NOT NULL,
    "body" TEXT NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "next_attempt_at" TIMESTAMPTZ(3),
    "delivered_at" TIMESTAMPTZ(3),
    "last_error" TEXT,

    CONSTRAINT "webhook_delivery_pkey" PRIMARY KEY ("evaluation_id")
);

-- CreateTable
CREATE TABLE "transformation" (
    "id" UUID NOT NULL,
    "project_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "description" TEXT,
    "datastore_id" UUID NOT NULL,
    "sql" TEXT,
    "formula" JSONB,
    "target_kind" "TableKind" NOT NULL,
    "target_schema" TEXT NOT NULL,
    "target_table" TEXT NOT NULL,
    "run_after_inputs" BOOLEAN NOT NULL,
    "active" BOOLEAN NOT NULL,
    "cron" TEXT,
    "time_zone" TEXT,
    "next_run_at" TIMESTAMPTZ(3),
    "inputs_seen_at" TIMESTAMPTZ(3),
    "revision" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,
    "created_by" UUID,
    "updated_by" UUID,
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "transformation_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "transformation_input" (
    "transformation_id" UUID NOT NULL,
    "table_id" UUID NOT NULL,

    CONSTRAINT "transformation_input_pkey" PRIMARY KEY ("transformation_id","table_id")
);

-- CreateIndex
CREATE INDEX "table_feed_table_id_idx" ON "table_feed"("table_id");

-- CreateIndex
CREATE INDEX "table_feed_job_id_idx" ON "table_feed"("job_id");

-- CreateIndex
CREATE INDEX "table_feed_transformation_id_idx" ON "table_feed"("transformation_id");

-- CreateIndex
CREATE INDEX "entity_mapping_table_id_idx" ON "entity_mapping"("table_id");

-- CreateIndex
CREATE INDEX "entity_mapping_alias_table_id_idx" ON "entity_mapping"("alias_table_id");

-- CreateIndex
CREATE UNIQUE INDEX "entity_mapping_project_id_kind_key" ON "entity_mapping"("project_id", "kind");

-- CreateIndex
CREATE INDEX "metric_project_id_created_at_id_idx" ON "metric"("project_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "signal_project_id_created_at_id_idx" ON "signal"("project_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "signal_metric_id_idx" ON "signal"("metric_id");

-- CreateIndex
CREATE INDEX "signal_next_run_at_idx" ON "signal"("next_run_at");

-- CreateIndex
CREATE INDEX "signal_table_table_id_idx" ON "signal_table"("table_id");

-- CreateIndex
CREATE INDEX "signal_evaluation_signal_id_created_at_id_idx" ON "signal_evaluation"("signal_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "signal_evaluation_project_id_created_at_id_idx" ON "signal_evaluation"("project_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "webhook_delivery_next_attempt_at_idx" ON "webhook_delivery"("next_attempt_at");

-- CreateIndex
CREATE INDEX "transformation_project_id_created_at_id_idx" ON "transformation"("project_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "transformation_datastore_id_idx" ON "transformation"("datastore_id");

-- CreateIndex
CREATE INDEX "transformation_next_run_at_idx" ON "transformation"("next_run_at");

-- CreateIndex
CREATE INDEX "transformation_input_table_id_idx" ON "transformation_input"("table_id");

-- CreateIndex
CREATE INDEX "task_transformation_id_created_at_id_idx" ON "task"("transformation_id", "created_at", "id");

-- AddForeignKey
ALTER TABLE "table_feed" ADD CONSTRAINT "table_feed_table_id_fkey" FOREIGN KEY ("table_id") REFERENCES "catalog_table"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "table_feed" ADD CONSTRAINT "table_feed_job_id_fkey" FOREIGN KEY ("job_id") REFERENCES "job"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "table_feed" ADD CONSTRAINT "table_feed_transformation_id_fkey" FOREIGN KEY ("transformation_id") REFERENCES "transformation"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "entity_mapping" ADD CONSTRAINT "entity_mapping_table_id_fkey" FOREIGN KEY ("table_id") REFERENCES "catalog_table"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "entity_mapping" ADD CONSTRAINT "entity_mapping_alias_table_id_fkey" FOREIGN KEY ("alias_table_id") REFERENCES "catalog_table"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "metric" ADD CONSTRAINT "metric_created_by_fkey" FOREIGN KEY ("created_by") REFERENCES "member"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "metric" ADD CONSTRAINT "metric_updated_by_fkey" FOREIGN KEY ("updated_by") REFERENCES "member"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "signal" ADD CONSTRAINT "signal_metric_id_fkey" FOREIGN KEY ("metric_id") REFERENCES "metric"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "signal" ADD CONSTRAINT "signal_created_by_fkey" FOREIGN KEY ("created_by") REFERENCES "member"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "signal" ADD CONSTRAINT "signal_updated_by_fkey" FOREIGN KEY ("updated_by") REFERENCES "member"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "signal_table" ADD CONSTRAINT "signal_table_signal_id_fkey" FOREIGN KEY ("signal_id") REFERENCES "signal"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "signal_evaluation" ADD CONSTRAINT "signal_evaluation_signal_id_fkey" FOREIGN KEY ("signal_id") REFERENCES "signal"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "webhook_delivery" ADD CONSTRAINT "webhook_delivery_evaluation_id_fkey" FOREIGN KEY ("evaluation_id") REFERENCES "signal_evaluation"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "task" ADD CONSTRAINT "task_transformation_id_fkey" FOREIGN KEY ("transformation_id") REFERENCES "transformation"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "transformation" ADD CONSTRAINT "transformation_datastore_id_fkey" FOREIGN KEY ("datastore_id") REFERENCES "datastore"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "transformation" ADD CONSTRAINT "transformation_created_by_fkey" FOREIGN KEY ("created_by") REFERENCES "member"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "transformation" ADD CONSTRAINT "transformation_updated_by_fkey" FOREIGN KEY ("updated_by") REFERENCES "member"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "transformation_input" ADD CONSTRAINT "transformation_input_transformation_id_fkey" FOREIGN KEY ("transformation_id") REFERENCES "transformation"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "transformation_input" ADD CONSTRAINT "transformation_input_table_id_fkey" FOREIGN KEY ("table_id") REFERENCES "catalog_table"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- Of what is deleted, the name is free again.
CREATE UNIQUE INDEX "transformation_name_key" ON "transformation"("project_id", "name") WHERE "deleted_at" IS NULL;
CREATE UNIQUE INDEX "metric_name_key" ON "metric"("project_id", "name") WHERE "deleted_at" IS NULL;
CREATE UNIQUE INDEX "signal_name_key" ON "signal"("project_id", "name") WHERE "deleted_at" IS NULL;

-- A transformation runs one task at a time, as a job does.
CREATE UNIQUE INDEX "task_one_live_a_transformation" ON "task"("transformation_id") WHERE "status" IN ('QUEUED', 'RUNNING', 'CANCELING');

-- One row for each way a table is written, however often.
CREATE UNIQUE INDEX "table_feed_job_key" ON "table_feed"("table_id", "job_id", "stream") WHERE "job_id" IS NOT NULL;
CREATE UNIQUE INDEX "table_feed_transformation_key" ON "table_feed"("table_id", "transformation_id") WHERE "transformation_id" IS NOT NULL;
