<?php
// Answers what PHP makes of an input. A line in is an operation, a blank and the input in base64; a line out is base64.

/** Nested values as text. Keys that are not UTF-8 are left out, values that are not are marked. */
function canonical($value): string
{
    if (!is_array($value)) {
        return preg_match('//u', $value) ? 's' . base64_encode($value) : 'x';
    }
    $parts = [];
    foreach ($value as $key => $inner) {
        if (preg_match('//u', (string) $key)) {
            $parts[] = base64_encode((string) $key) . ':' . canonical($inner);
        }
    }
    return '[' . implode(',', $parts) . ']';
}

/** JSON decoded to arrays and encoded again, both with default flags. */
function recode(string $json): string
{
    $value = json_decode($json, true);
    if (json_last_error() !== JSON_ERROR_NONE) {
        return 'refused';
    }
    $encoded = json_encode($value);
    return $encoded === false ? 'refused' : $encoded;
}

while (($line = fgets(STDIN)) !== false) {
    [$operation, $encoded] = explode(' ', rtrim($line, "\n"));
    $input = base64_decode($encoded);
    if ($operation === 'query') {
        $parameters = [];
        parse_str($input, $parameters);
        $answer = canonical($parameters);
    } else {
        $answer = recode($input);
    }
    echo base64_encode($answer), "\n";
}
