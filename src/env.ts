export function readDatabaseUrl(): string | undefined {
  return process.env.DATABASE_URL;
}
