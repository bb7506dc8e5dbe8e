-- CreateEnum
CREATE TYPE "Role" AS ENUM ('OWNER', 'ADMIN', 'EDITOR', 'VIEWER');

-- CreateEnum
CREATE TYPE "Scope" AS ENUM ('DATA_READ', 'CONTROL_READ', 'CONTROL_WRITE');

-- CreateEnum
CREATE TYPE "DatastoreEngine" AS ENUM ('DUCKDB', 'SNOWFLAKE', 'POSTGRES', 'REDSHIFT', 'BIGQUERY', 'DATABRICKS');

-- CreateEnum
CREATE TYPE "DatastoreRole" AS ENUM ('WAREHOUSE', 'OPERATIONAL');

-- CreateEnum
CREATE TYPE "TableKind" AS ENUM ('TABLE', 'VIEW');

-- CreateEnum
CREATE TYPE "EntityKind" AS ENUM ('USER', 'ORGANIZATION', 'EVENT');

-- CreateEnum
CREATE TYPE "SyncMode" AS ENUM ('FULL_REFRESH', 'INCREMENTAL', 'CDC', 'STRICT_CDC');

-- CreateEnum
CREATE TYPE "WriteMode" AS ENUM ('OVERWRITE', 'APPEND', 'UPSERT');

-- CreateEnum
CREATE TYPE "TaskKind" AS ENUM ('SYNC', 'CLEAR', 'TRANSFORM');

-- CreateEnum
CREATE TYPE "TaskStatus" AS ENUM ('QUEUED', 'RUNNING', 'CANCELING', 'SUCCEEDED', 'FAILED', 'CANCELED');

-- CreateEnum
CREATE TYPE "TaskTrigger" AS ENUM ('MANUAL', 'SCHEDULE', 'RETRY');

-- CreateEnum
CREATE TYPE "TaskErrorKind" AS ENUM ('CONFIG', 'SOURCE', 'DESTINATION', 'SCHEMA', 'TRANSIENT', 'WORKER_LOST', 'CANCELED', 'INTERNAL');

-- CreateEnum
CREATE TYPE "LogLevel" AS ENUM ('DEBUG', 'INFO', 'WARN', 'ERROR');

-- CreateTable
CREATE TABLE "account" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "account_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "member" (
    "id" UUID NOT NULL,
    "account_id" UUID NOT NULL,
    "username" TEXT NOT NULL,
    "email" TEXT NOT NULL,
    "password_hash" TEXT NOT NULL,
    "role" "Role" NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "member_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "project" (
    "id" UUID NOT NULL,
    "account_id" UUID NOT NULL,
    "slug" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "project_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "session" (
    "id" UUID NOT NULL,
    "token_hash" BYTEA NOT NULL,
    "member_id" UUID NOT NULL,
    "project_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "last_used_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "session_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "sign_in_link" (
    "id" UUID NOT NULL,
    "token_hash" BYTEA NOT NULL,
    "member_id" UUID NOT NULL,
    "project_id" UUID NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "used_at" TIMESTAMPTZ(3),

    CONSTRAINT "sign_in_link_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "api_key" (
    "id" UUID NOT NULL,
    "project_id" UUID NOT NULL,
    "account_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "prefix" TEXT NOT NULL,
    "secret_hash" BYTEA NOT NULL,
    "scopes" "Scope"[],
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "created_by" UUID,
    "expires_at" TIMESTAMPTZ(3),
    "last_used_at" TIMESTAMPTZ(3),
    "revoked_at" TIMESTAMPTZ(3),

    CONSTRAINT "api_key_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "idempotency_key" (
    "project_id" UUID NOT NULL,
    "operation" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "request_hash" BYTEA NOT NULL,
    "result_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "idempotency_key_pkey" PRIMARY KEY ("project_id","operation","key")
);

-- CreateTable
CREATE TABLE "datastore" (
    "id" UUID NOT NULL,
    "project_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "engine" "DatastoreEngine" NOT NULL,
    "role" "DatastoreRole" NOT NULL,
    "is_default" BOOLEAN NOT NULL,
    "config" JSONB NOT NULL,
    "secrets" JSONB NOT NULL DEFAULT '{}',
    "revision" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,
    "created_by" UUID,
    "updated_by" UUID,
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "datastore_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "catalog_table" (
    "id" UUID NOT NULL,
    "project_id" UUID NOT NULL,
    "datastore_id" UUID NOT NULL,
    "database" TEXT NOT NULL,
    "schema" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "kind" "TableKind" NOT NULL,
    "columns" JSONB NOT NULL,
    "row_count" BIGINT,
    "description" TEXT,
    "tags" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "task_id" UUID,
    "synced_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "catalog_table_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "source" (
    "id" UUID NOT NULL,
    "project_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "version" TEXT NOT NULL,
    "config" JSONB NOT NULL,
    "secrets" JSONB NOT NULL DEFAULT '{}',
    "streams" JSONB NOT NULL DEFAULT '[]',
    "revision" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,
    "created_by" UUID,
    "updated_by" UUID,
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "source_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "destination" (
    "id" UUID NOT NULL,
    "project_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "version" TEXT NOT NULL,
    "config" JSONB NOT NULL,
    "secrets" JSONB NOT NULL DEFAULT '{}',
    "revision" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,
    "created_by" UUID,
    "updated_by" UUID,
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "destination_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "job" (
    "id" UUID NOT NULL,
    "project_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "source_id" UUID NOT NULL,
    "destination_id" UUID NOT NULL,
    "active" BOOLEAN NOT NULL,
    "cron" TEXT,
    "time_zone" TEXT,
    "next_run_at" TIMESTAMPTZ(3),
    "streams" JSONB NOT NULL,
    "revision" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,
    "created_by" UUID,
    "updated_by" UUID,
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "job_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "stream_state" (
    "job_id" UUID NOT NULL,
    "stream" TEXT NOT NULL,
    "project_id" UUID NOT NULL,
    "state" JSONB NOT NULL,
    "task_id" UUID NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "stream_state_pkey" PRIMARY KEY ("job_id","stream")
);

-- CreateTable
CREATE TABLE "task" (
    "id" UUID NOT NULL,
    "project_id" UUID NOT NULL,
    "job_id" UUID,
    "kind" "TaskKind" NOT NULL,
    "status" "TaskStatus" NOT NULL,
    "trigger" "TaskTrigger" NOT NULL,
    "attempt" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "started_at" TIMESTAMPTZ(3),
    "finished_at" TIMESTAMPTZ(3),
    "rows_read" BIGINT NOT NULL DEFAULT 0,
    "rows_written" BIGINT NOT NULL DEFAULT 0,
    "bytes_read" BIGINT NOT NULL DEFAULT 0,
    "error_kind" "TaskErrorKind",
    "error_message" TEXT,
    "error_fix" TEXT,
    "error_retryable" BOOLEAN,
    "last_seq" INTEGER NOT NULL DEFAULT 0,
    "lease" UUID,
    "heartbeat_at" TIMESTAMPTZ(3),
    "cancel_requested_at" TIMESTAMPTZ(3),

    CONSTRAINT "task_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "task_stream" (
    "task_id" UUID NOT NULL,
    "position" INTEGER NOT NULL,
    "project_id" UUID NOT NULL,
    "namespace" TEXT,
    "name" TEXT NOT NULL,
    "status" "TaskStatus" NOT NULL,
    "rows_read" BIGINT NOT NULL DEFAULT 0,
    "rows_written" BIGINT NOT NULL DEFAULT 0,
    "bytes_read" BIGINT NOT NULL DEFAULT 0,
    "estimated_rows" BIGINT,
    "checkpoint" JSONB,

    CONSTRAINT "task_stream_pkey" PRIMARY KEY ("task_id","position")
);

-- CreateTable
CREATE TABLE "task_log" (
    "task_id" UUID NOT NULL,
    "seq" INTEGER NOT NULL,
    "project_id" UUID NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "level" "LogLevel" NOT NULL,
    "stream" TEXT,
    "message" TEXT NOT NULL,

    CONSTRAINT "task_log_pkey" PRIMARY KEY ("task_id","seq")
);

-- CreateIndex
CREATE UNIQUE INDEX "member_username_key" ON "member"("username");

-- CreateIndex
CREATE UNIQUE INDEX "member_email_key" ON "member"("email");

-- CreateIndex
CREATE INDEX "member_account_id_created_at_id_idx" ON "member"("account_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "project_account_id_created_at_id_idx" ON "project"("account_id", "created_at", "id");

-- CreateIndex
CREATE UNIQUE INDEX "project_account_id_slug_key" ON "project"("account_id", "slug");

-- CreateIndex
CREATE UNIQUE INDEX "session_token_hash_key" ON "session"("token_hash");

-- CreateIndex
CREATE INDEX "session_member_id_idx" ON "session"("member_id");

-- CreateIndex
CREATE INDEX "session_expires_at_idx" ON "session"("expires_at");

-- CreateIndex
CREATE UNIQUE INDEX "sign_in_link_token_hash_key" ON "sign_in_link"("token_hash");

-- CreateIndex
CREATE INDEX "sign_in_link_member_id_idx" ON "sign_in_link"("member_id");

-- CreateIndex
CREATE UNIQUE INDEX "api_key_prefix_key" ON "api_key"("prefix");

-- CreateIndex
CREATE INDEX "api_key_project_id_created_at_id_idx" ON "api_key"("project_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "idempotency_key_created_at_idx" ON "idempotency_key"("created_at");

-- CreateIndex
CREATE INDEX "datastore_project_id_created_at_id_idx" ON "datastore"("project_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "catalog_table_project_id_created_at_id_idx" ON "catalog_table"("project_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "catalog_table_task_id_idx" ON "catalog_table"("task_id");

-- CreateIndex
CREATE UNIQUE INDEX "catalog_table_datastore_id_database_schema_name_key" ON "catalog_table"("datastore_id", "database", "schema", "name");

-- CreateIndex
CREATE INDEX "source_project_id_created_at_id_idx" ON "source"("project_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "destination_project_id_created_at_id_idx" ON "destination"("project_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "job_project_id_created_at_id_idx" ON "job"("project_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "job_source_id_created_at_id_idx" ON "job"("source_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "job_destination_id_created_at_id_idx" ON "job"("destination_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "job_next_run_at_idx" ON "job"("next_run_at");

-- CreateIndex
CREATE INDEX "task_project_id_created_at_id_idx" ON "task"("project_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "task_job_id_created_at_id_idx" ON "task"("job_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "task_status_heartbeat_at_idx" ON "task"("status", "heartbeat_at");

-- AddForeignKey
ALTER TABLE "member" ADD CONSTRAINT "member_account_id_fkey" FOREIGN KEY ("account_id") REFERENCES "account"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "project" ADD CONSTRAINT "project_account_id_fkey" FOREIGN KEY ("account_id") REFERENCES "account"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "session" ADD CONSTRAINT "session_member_id_fkey" FOREIGN KEY ("member_id") REFERENCES "member"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "sign_in_link" ADD CONSTRAINT "sign_in_link_member_id_fkey" FOREIGN KEY ("member_id") REFERENCES "member"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "api_key" ADD CONSTRAINT "api_key_created_by_fkey" FOREIGN KEY ("created_by") REFERENCES "member"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "datastore" ADD CONSTRAINT "datastore_created_by_fkey" FOREIGN KEY ("created_by") REFERENCES "member"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "datastore" ADD CONSTRAINT "datastore_updated_by_fkey" FOREIGN KEY ("updated_by") REFERENCES "member"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "catalog_table" ADD CONSTRAINT "catalog_table_datastore_id_fkey" FOREIGN KEY ("datastore_id") REFERENCES "datastore"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "catalog_table" ADD CONSTRAINT "catalog_table_task_id_fkey" FOREIGN KEY ("task_id") REFERENCES "task"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "source" ADD CONSTRAINT "source_created_by_fkey" FOREIGN KEY ("created_by") REFERENCES "member"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "source" ADD CONSTRAINT "source_updated_by_fkey" FOREIGN KEY ("updated_by") REFERENCES "member"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "destination" ADD CONSTRAINT "destination_created_by_fkey" FOREIGN KEY ("created_by") REFERENCES "member"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "destination" ADD CONSTRAINT "destination_updated_by_fkey" FOREIGN KEY ("updated_by") REFERENCES "member"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "job" ADD CONSTRAINT "job_source_id_fkey" FOREIGN KEY ("source_id") REFERENCES "source"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "job" ADD CONSTRAINT "job_destination_id_fkey" FOREIGN KEY ("destination_id") REFERENCES "destination"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "job" ADD CONSTRAINT "job_created_by_fkey" FOREIGN KEY ("created_by") REFERENCES "member"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "job" ADD CONSTRAINT "job_updated_by_fkey" FOREIGN KEY ("updated_by") REFERENCES "member"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "stream_state" ADD CONSTRAINT "stream_state_job_id_fkey" FOREIGN KEY ("job_id") REFERENCES "job"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "task" ADD CONSTRAINT "task_job_id_fkey" FOREIGN KEY ("job_id") REFERENCES "job"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "task_stream" ADD CONSTRAINT "task_stream_task_id_fkey" FOREIGN KEY ("task_id") REFERENCES "task"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "task_log" ADD CONSTRAINT "task_log_task_id_fkey" FOREIGN KEY ("task_id") REFERENCES "task"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- What Prisma's schema cannot say:

-- One live task a job, whoever starts it.
CREATE UNIQUE INDEX "task_one_live_a_job" ON "task"("job_id") WHERE "status" IN ('QUEUED', 'RUNNING', 'CANCELING');

-- A name is free again once its holder is deleted.
CREATE UNIQUE INDEX "source_name_key" ON "source"("project_id", "name") WHERE "deleted_at" IS NULL;
CREATE UNIQUE INDEX "destination_name_key" ON "destination"("project_id", "name") WHERE "deleted_at" IS NULL;
CREATE UNIQUE INDEX "job_name_key" ON "job"("project_id", "name") WHERE "deleted_at" IS NULL;
CREATE UNIQUE INDEX "datastore_name_key" ON "datastore"("project_id", "name") WHERE "deleted_at" IS NULL;

-- One default datastore a project and role.
CREATE UNIQUE INDEX "datastore_one_default" ON "datastore"("project_id", "role") WHERE "is_default" AND "deleted_at" IS NULL;
