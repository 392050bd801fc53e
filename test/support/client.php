<?php
// A client of the old API as its users wrote them: php client.php URL KEY SECRET, then calls on standard input, one JSON
// object a line with the parameters of the query and, for a POST, the body. A line out is the status, a blank, the reply.

function call(string $url, string $key, string $secret, array $query, ?string $body): string
{
    $pairs = [];
    foreach ($query + ['apiKey' => $key] as $name => $value) {
        $pairs[] = urlencode($name) . '=' . urlencode($value);
    }
    $signed = implode('&', $pairs);
    // Appended as it is: base64 has characters that urlencode would change, and old callers do not.
    $hash = base64_encode(hash_hmac('sha256', $signed, $secret, true));
    $curl = curl_init("$url?$signed&hash=$hash");
    curl_setopt_array($curl, [CURLOPT_RETURNTRANSFER => true, CURLOPT_FOLLOWLOCATION => false, CURLOPT_TIMEOUT => 60]);
    if ($body !== null) {
        // Sent as a form, which curl says unless told otherwise.
        curl_setopt_array($curl, [CURLOPT_POST => true, CURLOPT_POSTFIELDS => $body]);
    }
    $reply = curl_exec($curl);
    if ($reply === false) {
        throw new RuntimeException(curl_error($curl));
    }
    return curl_getinfo($curl, CURLINFO_RESPONSE_CODE) . ' ' . $reply;
}

[, $url, $key, $secret] = $argv;
while (($line = fgets(STDIN)) !== false) {
    $call = json_decode($line, true);
    echo call($url, $key, $secret, $call['query'], $call['body'] ?? null), "\n";
}
