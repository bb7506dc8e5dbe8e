-- AlterTable
ALTER TABLE "task_stream" ADD COLUMN     "rows_added" BIGINT,
ADD COLUMN     "rows_changed" BIGINT,
ADD COLUMN     "rows_removed" BIGINT;

-- CreateTable
CREATE TABLE "feed_input" (
    "feed_id" UUID NOT NULL,
    "table_id" UUID NOT NULL,

    CONSTRAINT "feed_input_pkey" PRIMARY KEY ("feed_id","table_id")
);

-- CreateIndex
CREATE INDEX "feed_input_table_id_idx" ON "feed_input"("table_id");

-- AddForeignKey
ALTER TABLE "feed_input" ADD CONSTRAINT "feed_input_feed_id_fkey" FOREIGN KEY ("feed_id") REFERENCES "table_feed"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "feed_input" ADD CONSTRAINT "feed_input_table_id_fkey" FOREIGN KEY ("table_id") REFERENCES "catalog_table"("id") ON DELETE CASCADE ON UPDATE CASCADE;
