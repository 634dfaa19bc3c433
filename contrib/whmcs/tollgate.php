<?php
/*
 * WHMCS: the mail traffic of a closed month as the bandwidth of each service.
 *
 * Copy this file to modules/servers/tollgate/tollgate.php, add a server of the type Tollgate, and
 * write into its "Access Hash" the path of a file that this writes once a month, where PHP may read
 * it:
 *
 *     tollgate period export last --to whmcs >/var/lib/whmcs/tollgate.json
 *
 * WHMCS calls tollgate_UsageUpdate() with its daily cron. Figures are absolute: called again, they
 * are the same. What is no export of a closed month changes nothing.
 */

use Illuminate\Database\Capsule\Manager as Capsule;

function tollgate_MetaData()
{
    return ['DisplayName' => 'Tollgate', 'APIVersion' => '1.1', 'RequiresServer' => true];
}

/* The bytes of each domain, all fields together; throws where the file is no such export. */
function tollgate_bytes($path)
{
    $text = @file_get_contents($path);
    if ($text === false) {
        throw new RuntimeException("cannot read $path: write it by tollgate period export");
    }
    $data = json_decode($text, true);
    if (!is_array($data) || !isset($data['items'], $data['hash']) || !is_array($data['items'])) {
        throw new RuntimeException("$path is no export of a closed month");
    }
    $bytes = [];
    foreach ($data['items'] as $item) {
        if (!isset($item['account'], $item['field'], $item['amount']) || !is_int($item['amount'])) {
            throw new RuntimeException("$path is no export of a closed month");
        }
        if (substr($item['field'], -6) === '_bytes') {
            $bytes[$item['account']] = ($bytes[$item['account']] ?? 0) + $item['amount'];
        }
    }
    return $bytes;
}

/* As the file has it: lower case, A-labels. */
function tollgate_name($domain)
{
    $ascii = function_exists('idn_to_ascii') ? @idn_to_ascii($domain) : false;
    return strtolower($ascii === false ? $domain : $ascii);
}

/* Every service of the server is told, those without traffic, too: what they had in the month before
 * is not theirs any more. */
function tollgate_UsageUpdate($params)
{
    $bytes = tollgate_bytes(trim($params['serveraccesshash']));
    $services = Capsule::table('tblhosting')
        ->where('server', $params['serverid'])
        ->get(['id', 'domain']);
    foreach ($services as $service) {
        /* WHMCS counts in MB; rounded once, up; a credit is no traffic. */
        $used = max(0, $bytes[tollgate_name($service->domain)] ?? 0);
        Capsule::table('tblhosting')
            ->where('id', $service->id)
            ->update(['bwusage' => (int) ceil($used / 1048576),
                      'lastupdate' => date('Y-m-d H:i:s')]);
    }
}
