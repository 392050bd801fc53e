import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';

const ALGORITHM = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;
export const MASTER_KEY_BYTES = 32;

/**
 * Seals secrets with the master key for storage: AES-256-GCM, laid out as IV, tag, ciphertext. What is sealed for a
 * context is opened for that context alone, so that a sealed value moved to another row opens nothing there.
 */
export class Vault {
  readonly #masterKey: Buffer;

  constructor(masterKey: Buffer) {
    if (masterKey.length !== MASTER_KEY_BYTES) throw new Error(`the master key must have ${MASTER_KEY_BYTES} bytes`);
    this.#masterKey = masterKey;
  }

  seal(secret: string, context = ''): Buffer {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#masterKey, iv).setAAD(Buffer.from(context));
    const text = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
    return Buffer.concat([iv, cipher.getAuthTag(), text]);
  }

  /** Throws for a value that another master key or context sealed, or that was tampered with. */
  open(sealed: Uint8Array, context = ''): string {
    const iv = sealed.subarray(0, IV_BYTES);
    const decipher = createDecipheriv(ALGORITHM, this.#masterKey, iv, { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(context));
    decipher.setAuthTag(sealed.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
    return Buffer.concat([decipher.update(sealed.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]).toString('utf8');
  }

  /**
   * Equal for equal texts. It reveals nothing of the text without the master key, whereas a plain digest of a short
   * text can be guessed.
   */
  fingerprint(text: string): string {
    return createHmac('sha256', this.#masterKey).update('fingerprint\0').update(text).digest('base64url');
  }
}
