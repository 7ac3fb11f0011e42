/* SPDX-License-Identifier: ISC */
/* zones/schema.c - see schema.h.
 *
 * Every table that a command changes has three triggers, written once as LOGGED(): they refuse
 * a write outside of an open change and put the row before and after into change_row as JSON.
 * One more trigger on change_row moves the zone serials in zone_touch. So the log is complete
 * by construction, whatever the C code above it forgets.
 *
 * The JSON of a row names all its columns: J_<table>(r) with r = NEW or OLD. zones/past.c puts
 * rows back from it. A later step that adds a column replaces the table's triggers.
 *
 * Identifiers of domains and accounts are never used again (AUTOINCREMENT): mail folders and
 * old log rows refer to them. */
#include "zones/schema.h"

#include "base/core/attr.h"

/* clang-format off */
#define LOGGED(table, domain_of, json)                                                     \
    "CREATE TRIGGER " table "_i AFTER INSERT ON " table " BEGIN "                          \
    "SELECT RAISE(ABORT,'write outside of a change') "                                     \
    "WHERE NOT EXISTS (SELECT 1 FROM open_change);"                                        \
    "INSERT INTO change_row(serial,kind,row_id,domain_id,before,after) "                   \
    "SELECT serial,'" table "',NEW.id," domain_of("NEW") ",NULL," json("NEW")              \
    " FROM open_change; END;"                                                              \
    "CREATE TRIGGER " table "_u AFTER UPDATE ON " table                                    \
    " WHEN " json("OLD") " IS NOT " json("NEW") " BEGIN "                                  \
    "SELECT RAISE(ABORT,'write outside of a change') "                                     \
    "WHERE NOT EXISTS (SELECT 1 FROM open_change);"                                        \
    "INSERT INTO change_row(serial,kind,row_id,domain_id,before,after) "                   \
    "SELECT serial,'" table "',NEW.id," domain_of("NEW") "," json("OLD") "," json("NEW")   \
    " FROM open_change; END;"                                                              \
    "CREATE TRIGGER " table "_d AFTER DELETE ON " table " BEGIN "                          \
    "SELECT RAISE(ABORT,'write outside of a change') "                                     \
    "WHERE NOT EXISTS (SELECT 1 FROM open_change);"                                        \
    "INSERT INTO change_row(serial,kind,row_id,domain_id,before,after) "                   \
    "SELECT serial,'" table "',OLD.id," domain_of("OLD") "," json("OLD") ",NULL"           \
    " FROM open_change; END;"

#define OF_ALL(r)    "0"
#define OF_DOMAIN(r) r ".domain_id"
#define OF_ID(r)     r ".id"

#define J_setting(r) "json_object('id'," r ".id,'name'," r ".name,'value'," r ".value)"
#define J_host(r)                                                                          \
    "json_object('id'," r ".id,'name'," r ".name,'roles'," r ".roles,"                     \
    "'is_settled'," r ".is_settled)"
#define J_address(r)                                                                       \
    "json_object('id'," r ".id,'host_id'," r ".host_id,'ip'," r ".ip)"
#define J_service(r)                                                                       \
    "json_object('id'," r ".id,'host_id'," r ".host_id,'name'," r ".name,'port'," r ".port)"
#define J_domain(r)                                                                        \
    "json_object('id'," r ".id,'name'," r ".name,'rname'," r ".rname,'host_id',"           \
    r ".host_id,'mx_preference'," r ".mx_preference,'spf'," r ".spf,'spf_extra',"          \
    r ".spf_extra,'dmarc'," r ".dmarc,'rua'," r ".rua,'rua_domain'," r ".rua_domain,"      \
    "'has_apex'," r ".has_apex,'is_settled'," r ".is_settled,'created_s'," r ".created_s)"
#define J_account(r)                                                                       \
    "json_object('id'," r ".id,'domain_id'," r ".domain_id,'local'," r ".local,"           \
    "'is_enabled'," r ".is_enabled,'secret_ref'," r ".secret_ref,'created_s'," r ".created_s)"
#define J_alias(r)                                                                         \
    "json_object('id'," r ".id,'domain_id'," r ".domain_id,'local'," r ".local,"           \
    "'target'," r ".target)"
#define J_record(r)                                                                        \
    "json_object('id'," r ".id,'domain_id'," r ".domain_id,'owner'," r ".owner,"           \
    "'type'," r ".type,'ttl_s'," r ".ttl_s,'rdata'," r ".rdata)"
#define J_dkim_key(r)                                                                      \
    "json_object('id'," r ".id,'domain_id'," r ".domain_id,'selector'," r ".selector,"     \
    "'algorithm'," r ".algorithm,'state'," r ".state,'public_b64'," r ".public_b64,"       \
    "'key_ref'," r ".key_ref,'created_s'," r ".created_s)"

const struct db_migration schema_main[] = {
    {"change log",
     "CREATE TABLE change(serial INTEGER PRIMARY KEY AUTOINCREMENT, at_s INTEGER NOT NULL,"
     "  who TEXT NOT NULL, intent TEXT NOT NULL) STRICT;"
     /* domain_id 0: every zone; NULL is not used. before/after: JSON objects. */
     "CREATE TABLE change_row(seq INTEGER PRIMARY KEY, serial INTEGER NOT NULL"
     "  REFERENCES change(serial), kind TEXT NOT NULL, row_id INTEGER NOT NULL,"
     "  domain_id INTEGER NOT NULL, before TEXT, after TEXT) STRICT;"
     "CREATE INDEX change_row_serial ON change_row(serial);"
     "CREATE INDEX change_row_domain ON change_row(domain_id, serial);"
     /* Holds a row while a change is under way, and is empty in every committed state. */
     "CREATE TABLE open_change(serial INTEGER PRIMARY KEY) STRICT;"
     /* Serial of each zone's contents, also of removed ones; row 0 counts for all. */
     "CREATE TABLE zone_touch(domain_id INTEGER PRIMARY KEY, name TEXT NOT NULL,"
     "  serial INTEGER NOT NULL, at_s INTEGER NOT NULL, is_removed INTEGER NOT NULL) STRICT;"
     "CREATE INDEX zone_touch_serial ON zone_touch(serial);"
     "CREATE INDEX zone_touch_at ON zone_touch(at_s);"
     "CREATE TABLE setting(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
     "  value TEXT NOT NULL) STRICT;"
     LOGGED("setting", OF_ALL, J_setting)},
    {"hosts",
     "CREATE TABLE host(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
     "  roles INTEGER NOT NULL, is_settled INTEGER NOT NULL DEFAULT 0) STRICT;"
     "CREATE TABLE address(id INTEGER PRIMARY KEY, host_id INTEGER NOT NULL"
     "  REFERENCES host(id), ip TEXT NOT NULL, UNIQUE(host_id, ip)) STRICT;"
     "CREATE TABLE service(id INTEGER PRIMARY KEY, host_id INTEGER NOT NULL"
     "  REFERENCES host(id), name TEXT NOT NULL, port INTEGER NOT NULL,"
     "  UNIQUE(host_id, name)) STRICT;"
     LOGGED("host", OF_ALL, J_host)},
    {"hosts' log",
     LOGGED("address", OF_ALL, J_address)
     LOGGED("service", OF_ALL, J_service)},
    {"domains",
     /* rname: labels from the right, each with a dot behind ("com.example."), so that the
      * domains below a domain are one range of the index. */
     "CREATE TABLE domain(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,"
     "  rname TEXT NOT NULL UNIQUE, host_id INTEGER NOT NULL REFERENCES host(id),"
     "  mx_preference INTEGER NOT NULL, spf INTEGER NOT NULL, spf_extra TEXT NOT NULL,"
     "  dmarc INTEGER NOT NULL, rua TEXT NOT NULL, rua_domain TEXT NOT NULL,"
     "  has_apex INTEGER NOT NULL, is_settled INTEGER NOT NULL DEFAULT 0,"
     "  created_s INTEGER NOT NULL) STRICT;"
     "CREATE INDEX domain_rua ON domain(rua_domain);"
     "CREATE INDEX domain_host ON domain(host_id);"
     LOGGED("domain", OF_ID, J_domain)},
    {"accounts and aliases",
     "CREATE TABLE account(id INTEGER PRIMARY KEY AUTOINCREMENT, domain_id INTEGER NOT NULL"
     "  REFERENCES domain(id), local TEXT NOT NULL, is_enabled INTEGER NOT NULL DEFAULT 1,"
     "  secret_ref TEXT NOT NULL UNIQUE, created_s INTEGER NOT NULL,"
     "  UNIQUE(domain_id, local)) STRICT;"
     "CREATE TABLE alias(id INTEGER PRIMARY KEY, domain_id INTEGER NOT NULL"
     "  REFERENCES domain(id), local TEXT NOT NULL, target TEXT NOT NULL,"
     "  UNIQUE(domain_id, local, target)) STRICT;"
     LOGGED("account", OF_DOMAIN, J_account)},
    {"aliases' log and records",
     LOGGED("alias", OF_DOMAIN, J_alias)
     "CREATE TABLE record(id INTEGER PRIMARY KEY, domain_id INTEGER NOT NULL"
     "  REFERENCES domain(id), owner TEXT NOT NULL, type INTEGER NOT NULL,"
     "  ttl_s INTEGER NOT NULL, rdata TEXT NOT NULL,"
     "  UNIQUE(domain_id, owner, type, rdata)) STRICT;"
     LOGGED("record", OF_DOMAIN, J_record)},
    {"DKIM keys",
     "CREATE TABLE dkim_key(id INTEGER PRIMARY KEY, domain_id INTEGER NOT NULL"
     "  REFERENCES domain(id), selector TEXT NOT NULL, algorithm INTEGER NOT NULL,"
     "  state INTEGER NOT NULL, public_b64 TEXT NOT NULL, key_ref TEXT NOT NULL UNIQUE,"
     "  created_s INTEGER NOT NULL, UNIQUE(domain_id, selector)) STRICT;"
     LOGGED("dkim_key", OF_DOMAIN, J_dkim_key)},
    {"zone serials",
     /* kind 'zone': the contents follow from a change elsewhere (zones/change.c). */
     "CREATE TRIGGER touch_one AFTER INSERT ON change_row"
     " WHEN NEW.kind IN ('domain','record','dkim_key','zone') BEGIN "
     "INSERT INTO zone_touch(domain_id,name,serial,at_s,is_removed)"
     " SELECT NEW.domain_id,"
     "  CASE WHEN NEW.kind <> 'domain'"
     "    THEN coalesce((SELECT name FROM domain WHERE id = NEW.domain_id), '')"
     "    ELSE json_extract(coalesce(NEW.after, NEW.before), '$.name') END,"
     "  NEW.serial, (SELECT at_s FROM change WHERE serial = NEW.serial),"
     "  NEW.kind = 'domain' AND NEW.after IS NULL"
     " WHERE 1 ON CONFLICT(domain_id) DO UPDATE SET serial = excluded.serial,"
     "  at_s = excluded.at_s, is_removed = excluded.is_removed; END;"
     "CREATE TRIGGER touch_all AFTER INSERT ON change_row"
     " WHEN NEW.kind IN ('host','address','service','setting') BEGIN "
     "INSERT INTO zone_touch(domain_id,name,serial,at_s,is_removed)"
     " SELECT 0, '', NEW.serial, (SELECT at_s FROM change WHERE serial = NEW.serial), 0"
     " WHERE 1 ON CONFLICT(domain_id) DO UPDATE SET serial = excluded.serial,"
     "  at_s = excluded.at_s; END;"},
};
const int schema_main_count = (int)COUNT_OF(schema_main);

const struct db_migration schema_secrets[] = {
    {"hashes",
     "CREATE TABLE secret(ref TEXT PRIMARY KEY, hash TEXT NOT NULL,"
     "  created_s INTEGER NOT NULL) STRICT, WITHOUT ROWID;"},
};
const int schema_secrets_count = (int)COUNT_OF(schema_secrets);

const struct db_migration schema_keys[] = {
    {"DKIM private keys",
     "CREATE TABLE private_key(ref TEXT PRIMARY KEY, pem TEXT NOT NULL,"
     "  created_s INTEGER NOT NULL) STRICT, WITHOUT ROWID;"},
};
const int schema_keys_count = (int)COUNT_OF(schema_keys);

/* Columns by name from the JSON of a logged row; the table below lists them in the order of
 * CREATE TABLE, which is the order CREATE TABLE ... AS SELECT gives the copy. */
#define X(c) "json_extract(?1,'$." c "')"
#define SHADOW(t, columns)                                                                 \
    {t,                                                                                    \
     "CREATE TEMP TABLE " t " AS SELECT * FROM main." t ";"                                \
     "CREATE INDEX temp.past_" t " ON " t "(id)",                                          \
     "DELETE FROM temp." t " WHERE id = ?1", "INSERT INTO temp." t " SELECT " columns}

const struct schema_shadow schema_shadows[] = {
    SHADOW("setting", X("id") "," X("name") "," X("value")),
    SHADOW("host", X("id") "," X("name") "," X("roles") "," X("is_settled")),
    SHADOW("address", X("id") "," X("host_id") "," X("ip")),
    SHADOW("service", X("id") "," X("host_id") "," X("name") "," X("port")),
    SHADOW("domain", X("id") "," X("name") "," X("rname") "," X("host_id") ","
           X("mx_preference") "," X("spf") "," X("spf_extra") "," X("dmarc") "," X("rua") ","
           X("rua_domain") "," X("has_apex") "," X("is_settled") "," X("created_s")),
    SHADOW("record", X("id") "," X("domain_id") "," X("owner") "," X("type") ","
           X("ttl_s") "," X("rdata")),
    SHADOW("dkim_key", X("id") "," X("domain_id") "," X("selector") "," X("algorithm") ","
           X("state") "," X("public_b64") "," X("key_ref") "," X("created_s")),
};
const size_t schema_shadows_count = COUNT_OF(schema_shadows);
/* clang-format on */
