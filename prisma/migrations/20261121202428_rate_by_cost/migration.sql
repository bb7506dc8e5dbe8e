-- AlterTable
ALTER TABLE "rate_window" ADD COLUMN     "cost_ms" DOUBLE PRECISION NOT NULL DEFAULT 0;
