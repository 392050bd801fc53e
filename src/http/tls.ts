import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type { Server } from 'node:https';
import { createSecureContext } from 'node:tls';
import type { Logger } from 'pino';
import { reasonOf } from '../lib/describe-error.ts';
import { OperatorError } from '../lib/operator-error.ts';

/** The paths of PEM files: the certificate with those between it and the authority, and its private key. */
interface TlsFiles {
  cert: string;
  key: string;
}

interface Pair {
  cert: Buffer;
  key: Buffer;
}

/** How often the files are looked at: certificates are renewed every few weeks. */
const LOOK_MS = 60_000;

/** Throws an OperatorError for files that are no pair. */
export function readTls(files: TlsFiles): Pair {
  try {
    const pair = { cert: readFileSync(files.cert), key: readFileSync(files.key) };
    // Both throw for what is none, and the second for a key of another certificate.
    new X509Certificate(pair.cert);
    createSecureContext(pair);
    return pair;
  } catch (error) {
    throw new OperatorError(`TLS_CERT ${files.cert} and TLS_KEY ${files.key} cannot be used: ${reasonOf(error)}.`);
  }
}

/** Serves with the files as they are now: renewed ones without a restart. Returns what ends that. */
export function watchTls(files: TlsFiles, server: Server, log: Logger, lookMs = LOOK_MS): () => void {
  const stampOf = () => [files.cert, files.key].map((path) => statSync(path).mtimeMs).join();
  let used = stampOf();
  const timer = setInterval(() => {
    try {
      const stamp = stampOf();
      if (stamp === used) return;
      server.setSecureContext(readTls(files));
      used = stamp;
      log.info('the renewed certificate is in use');
    } catch (error) {
      // Half of a renewal, perhaps: the former pair serves on.
      log.error({ reason: reasonOf(error) }, 'the certificate or its key has changed and cannot be used');
    }
  }, lookMs);
  return () => clearInterval(timer);
}
