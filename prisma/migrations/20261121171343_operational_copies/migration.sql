-- AlterTable
ALTER TABLE "entity_mapping" ADD COLUMN     "alias_served_from_id" UUID,
ADD COLUMN     "served_from_id" UUID;

-- AlterTable
ALTER TABLE "table_feed" ADD COLUMN     "original_synced_at" TIMESTAMPTZ(3);

-- CreateIndex
CREATE INDEX "entity_mapping_served_from_id_idx" ON "entity_mapping"("served_from_id");

-- CreateIndex
CREATE INDEX "entity_mapping_alias_served_from_id_idx" ON "entity_mapping"("alias_served_from_id");

-- AddForeignKey
ALTER TABLE "entity_mapping" ADD CONSTRAINT "entity_mapping_served_from_id_fkey" FOREIGN KEY ("served_from_id") REFERENCES "catalog_table"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "entity_mapping" ADD CONSTRAINT "entity_mapping_alias_served_from_id_fkey" FOREIGN KEY ("alias_served_from_id") REFERENCES "catalog_table"("id") ON DELETE SET NULL ON UPDATE CASCADE;
