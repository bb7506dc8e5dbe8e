-- AlterTable
ALTER TABLE "job" ADD COLUMN     "inputs_seen_at" TIMESTAMPTZ(3),
ADD COLUMN     "run_after_inputs" BOOLEAN NOT NULL DEFAULT false;
