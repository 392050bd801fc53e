// Spans as a collector gets them: the parts of OTLP's protobuf that the tests look at, read without any of its libraries.

/** SpanKind and StatusCode of OTLP. */
export const KIND = { server: 2, producer: 4, consumer: 5 };
export const FAILED = 2;

export interface ReceivedSpan {
  traceId: string;
  spanId: string;
  /** Empty for the first of a trace. */
  parentSpanId: string;
  name: string;
  kind: number;
  status: number;
  attributes: Record<string, unknown>;
  /** Of the process that it came from. */
  resource: Record<string, unknown>;
}

type Fields = Map<number, (Buffer | number)[]>;

/** The spans of an ExportTraceServiceRequest. */
export function readSpans(bytes: Buffer): ReceivedSpan[] {
  return messages(fieldsOf(bytes), 1).flatMap((resourceSpans) => {
    const resource = Object.assign({}, ...messages(resourceSpans, 1).map((each) => attributesOf(each, 1)));
    return messages(resourceSpans, 2).flatMap((scopeSpans) =>
      messages(scopeSpans, 2).map((span) => spanOf(span, resource)),
    );
  });
}

function spanOf(span: Fields, resource: Record<string, unknown>): ReceivedSpan {
  const [status] = messages(span, 15);
  return {
    traceId: bytesOf(span, 1).toString('hex'),
    spanId: bytesOf(span, 2).toString('hex'),
    parentSpanId: bytesOf(span, 4).toString('hex'),
    name: bytesOf(span, 5).toString(),
    kind: numberOf(span, 6),
    status: status === undefined ? 0 : numberOf(status, 3),
    attributes: attributesOf(span, 9),
    resource,
  };
}

function attributesOf(message: Fields, field: number): Record<string, unknown> {
  return Object.fromEntries(
    messages(message, field).map((pair) => [bytesOf(pair, 1).toString(), attributeValueOf(messages(pair, 2)[0])]),
  );
}

/** Texts and whole numbers; there are no others. */
function attributeValueOf(value: Fields | undefined): unknown {
  if (value?.has(1)) return bytesOf(value, 1).toString();
  return value?.has(3) ? numberOf(value, 3) : undefined;
}

function messages(message: Fields, field: number): Fields[] {
  return (message.get(field) ?? []).map((each) => fieldsOf(each as Buffer));
}

function bytesOf(message: Fields, field: number): Buffer {
  return (message.get(field)?.[0] as Buffer | undefined) ?? Buffer.alloc(0);
}

function numberOf(message: Fields, field: number): number {
  return (message.get(field)?.[0] as number | undefined) ?? 0;
}

/** Of each field its values: bytes, or a number; those of fixed length are left out. */
function fieldsOf(bytes: Buffer): Fields {
  const fields: Fields = new Map();
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes.readUInt8(at++);
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const [field, type] = [key >>> 3, key & 7];
    const found = fields.get(field) ?? [];
    fields.set(field, found);
    if (type === 0) found.push(varint());
    else if (type === 2) {
      const length = varint();
      found.push(bytes.subarray(at, at + length));
      at += length;
    } else if (type === 1) at += 8;
    else if (type === 5) at += 4;
    else throw new Error(`protobuf has no wire type ${type}`);
  }
  return fields;
}
