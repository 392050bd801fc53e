<?php
// The page as it would be written in PHP: it checks key and signature, reads tasks and rules, and encodes them.
$query = $_SERVER['QUERY_STRING'] ?? '';
$at = strpos($query, '&hash=');
$signed = $at === false ? $query : substr($query, 0, $at);
parse_str($signed, $parameters);
$hash = $at === false ? '' : rawurldecode(explode('&', substr($query, $at + 6))[0]);
$url = parse_url(getenv('DATABASE_URL'));
$pdo = new PDO(
    sprintf('pgsql:host=%s;port=%d;dbname=%s', $url['host'], $url['port'], ltrim($url['path'], '/')),
    rawurldecode($url['user']),
    rawurldecode($url['pass'] ?? ''),
    [PDO::ATTR_PERSISTENT => true, PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]
);
$found = $pdo->prepare('select secret from bench_secret where key = ?');
$found->execute([$parameters['apiKey'] ?? '']);
$secret = $found->fetchColumn();
header('Content-Type: application/json');
if ($secret === false || !hash_equals(base64_encode(hash_hmac('sha256', $signed, $secret, true)), $hash)) {
    http_response_code(401);
    exit(json_encode(['success' => 0, 'message' => 'Authentication failed']));
}
$items = [];
$rules = $pdo->query('select repeat_item.* from repeat_item join task on task.id = task_id where deleted_at is null order by repeat_item.id');
foreach ($rules->fetchAll(PDO::FETCH_ASSOC) as $item) {
    $text = fn ($name) => $item[$name] === null ? null : (string) $item[$name];
    $calendar = fn ($name) => $item[$name] === null ? '*' : (string) $item[$name];
    $items[$item['task_id']][] = [
        'id' => (string) $item['id'],
        'task_id' => (string) $item['task_id'],
        'repeat_start' => $text('start_date'),
        'repeat_end' => $text('end_date'),
        'repeat_interval' => $text('interval_days'),
        'repeat_year' => $calendar('year'),
        'repeat_month' => $calendar('month'),
        'repeat_day' => $calendar('day_of_month'),
        'repeat_week' => $calendar('week_of_month'),
        'repeat_weekday' => $calendar('day_of_week'),
        'repeat_hour' => $calendar('hour'),
        'repeat_minute' => $calendar('minute'),
    ];
}
$data = [];
$tasks = $pdo->query("select id, owner_id, name, class_name, active, data, to_char(last_run_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') as last_run from task where deleted_at is null order by id");
foreach ($tasks->fetchAll(PDO::FETCH_ASSOC) as $task) {
    $data[] = [
        'id' => (string) $task['id'],
        'user_id' => (string) $task['owner_id'],
        'name' => $task['name'],
        'class_name' => $task['class_name'],
        'active' => $task['active'],
        'data' => $task['data'] === null ? null : json_decode($task['data'], true),
        'last_run' => $task['last_run'],
        'repeat_items' => $items[$task['id']] ?? [],
    ];
}
$reply = json_encode(['success' => 1, 'data' => $data]);
header('Content-Length: ' . strlen($reply));
echo $reply;
