-- CreateEnum
CREATE TYPE "EndpointState" AS ENUM ('DRAFT', 'PUBLISHED', 'DEPRECATED');

-- CreateEnum
CREATE TYPE "EndpointOrigin" AS ENUM ('FILE', 'API');

-- CreateEnum
CREATE TYPE "EndpointChange" AS ENUM ('SAVED', 'PUBLISHED', 'DEPRECATED', 'RESTORED', 'DELETED');

-- CreateTable
CREATE TABLE "endpoint" (
    "id" UUID NOT NULL,
    "project_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "route" TEXT NOT NULL,
    "state" "EndpointState" NOT NULL,
    "origin" "EndpointOrigin" NOT NULL,
    "file" TEXT,
    "home_id" TEXT,
    "declaration" JSONB NOT NULL,
    "served" JSONB,
    "is_public" BOOLEAN NOT NULL,
    "published_at" TIMESTAMPTZ(3),
    "deprecated_at" TIMESTAMPTZ(3),
    "sunset_at" TIMESTAMPTZ(3),
    "replacement" TEXT,
    "revision" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,
    "created_by" UUID,
    "updated_by" UUID,
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "endpoint_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "endpoint_revision" (
    "id" UUID NOT NULL,
    "project_id" UUID NOT NULL,
    "endpoint_id" UUID NOT NULL,
    "revision" INTEGER NOT NULL,
    "change" "EndpointChange" NOT NULL,
    "declaration" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "created_by" UUID,

    CONSTRAINT "endpoint_revision_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "endpoint_usage" (
    "endpoint_id" UUID NOT NULL,
    "project_id" UUID NOT NULL,
    "hour" TIMESTAMPTZ(3) NOT NULL,
    "calls" BIGINT NOT NULL,
    "errors" BIGINT NOT NULL,
    "cached" BIGINT NOT NULL,
    "durations" BIGINT[],

    CONSTRAINT "endpoint_usage_pkey" PRIMARY KEY ("endpoint_id","hour")
);

-- CreateTable
CREATE TABLE "rate_window" (
    "key" TEXT NOT NULL,
    "start_at" TIMESTAMPTZ(3) NOT NULL,
    "used" BIGINT NOT NULL,

    CONSTRAINT "rate_window_pkey" PRIMARY KEY ("key")
);

-- CreateIndex
CREATE INDEX "endpoint_project_id_created_at_id_idx" ON "endpoint"("project_id", "created_at", "id");

-- CreateIndex
CREATE UNIQUE INDEX "endpoint_revision_endpoint_id_revision_key" ON "endpoint_revision"("endpoint_id", "revision");

-- AddForeignKey
ALTER TABLE "endpoint" ADD CONSTRAINT "endpoint_created_by_fkey" FOREIGN KEY ("created_by") REFERENCES "member"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "endpoint" ADD CONSTRAINT "endpoint_updated_by_fkey" FOREIGN KEY ("updated_by") REFERENCES "member"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "endpoint_revision" ADD CONSTRAINT "endpoint_revision_endpoint_id_fkey" FOREIGN KEY ("endpoint_id") REFERENCES "endpoint"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "endpoint_revision" ADD CONSTRAINT "endpoint_revision_created_by_fkey" FOREIGN KEY ("created_by") REFERENCES "member"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "endpoint_usage" ADD CONSTRAINT "endpoint_usage_endpoint_id_fkey" FOREIGN KEY ("endpoint_id") REFERENCES "endpoint"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- A name and version, a path and a public path are one endpoint's, while it is there.
CREATE UNIQUE INDEX "endpoint_name_key" ON "endpoint"("project_id", "name", "version") WHERE "deleted_at" IS NULL;
CREATE UNIQUE INDEX "endpoint_route_key" ON "endpoint"("project_id", "route", "version") WHERE "deleted_at" IS NULL AND "state" <> 'DRAFT';
CREATE UNIQUE INDEX "endpoint_public_route_key" ON "endpoint"("route", "version") WHERE "deleted_at" IS NULL AND "state" <> 'DRAFT' AND "is_public";
