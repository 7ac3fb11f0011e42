/* SPDX-License-Identifier: ISC */
/* The texts are read by us and by ldns: both must give the same octets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ldns/ldns.h>

#include "base/core/attr.h"
#include "base/core/codec.h"
#include "base/core/mem.h"
#include "base/dns/rdata.h"

static const struct {
    const char *type, *text;
    const char *want; /* what printing gives; NULL: the same text */
    bool no_oracle;   /* ldns of this system does not know the form */
} good[] = {
    {"A", "192.0.2.1", NULL, false},
    {"AAAA", "2001:db8::1", NULL, false},
    {"NS", "ns1.example.com.", NULL, false},
    {"NS", "ns1", "ns1.example.org.", true},
    {"CNAME", "Mail.Example.com.", NULL, false},
    {"PTR", ".", NULL, false},
    {"MX", "10 mail.example.com.", NULL, false},
    {"MX", "0 .", NULL, false},
    {"MX", "( 10\n mail.example.com. )", "10 mail.example.com.", true},
    {"SOA", "ns1.example.com. host\\.master.example.com. 2026112200 3600 900 1209600 300",
     NULL, false},
    {"SOA", "a. b. 1 1h 15m 2w 5m", "a. b. 1 3600 900 1209600 300", false},
    {"TXT", "\"v=spf1 mx ~all\"", NULL, false},
    {"TXT", "plain", "\"plain\"", false},
    {"TXT", "\"a\" \"b c\" \"\"", NULL, false},
    {"TXT", "\"say \\\"hi\\\" \\\\ \\000\\255\"", NULL, false},
    {"TXT", "\"semi;colon (paren)\"", NULL, false},
    {"HINFO", "\"RFC8482\" \"\"", NULL, false},
    {"SRV", "0 1 587 mail.example.com.", NULL, false},
    {"SRV", "0 0 0 .", NULL, false},
    {"CAA", "0 issue \"ca.example; account=1\"", NULL, false},
    {"CAA", "128 iodef \"mailto:a@example.com\"", NULL, false},
    {"TLSA", "3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
     NULL, false},
    {"DS", "60485 5 1 2bb183af5f22588179a53b0a98631fad1a292118", NULL, false},
    {"DS", "60485 ECDSAP256SHA256 2 0011 2233", "60485 13 2 00112233", true},
    {"DNSKEY", "256 3 5 AQPSKmynfzW4kyBv015MUG2DeIQ3", NULL, false},
    {"RRSIG", "A 5 3 86400 20030322173103 20030220173103 2642 example.com. AQPSKmyn",
     NULL, false},
    {"RRSIG", "TYPE65280 13 2 3600 20380119031408 20240229120000 1 . AQPS", NULL, false},
    {"NSEC", "host.example.com. A MX RRSIG NSEC TYPE1234", NULL, false},
    {"NSEC3", "1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr MX DNSKEY NS",
     "1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr NS MX DNSKEY", false},
    {"NSEC3PARAM", "1 0 0 -", NULL, false},
    {"SSHFP", "4 2 123456789abcdef67890123456789abcdef67890", NULL, false},
    {"NAPTR", "100 50 \"s\" \"z3950+I2L+I2C\" \"\" _z3950._tcp.example.com.", NULL,
     false},
    {"NAPTR", "100 10 \"u\" \"E2U+sip\" \"!^.*$!sip:a@example.com!\" .", NULL, false},
    {"DNAME", "other.example.", NULL, false},
    {"RP", "admin.example.com. txt.example.com.", NULL, false},
    {"AFSDB", "1 afs.example.com.", NULL, false},
    {"OPENPGPKEY", "AQPSKmyn", NULL, false},
    {"CSYNC", "66 3 A NS AAAA", NULL, true},
    {"ZONEMD", "2018031900 1 1 62e6cf51b02e54b9b5f967d547ce43136792901f", NULL, true},
    {"URI", "10 1 \"ftp://ftp.example.com/public\"", NULL, true},
    {"EUI48", "00-00-5e-00-53-2a", NULL, false},
    {"EUI64", "00-00-5e-ef-10-00-00-2a", NULL, false},
    {"CDS", "0 0 0 00", NULL, true},
    {"SVCB", "0 svc.example.com.", NULL, true},
    {"SVCB", "1 . port=53 ipv4hint=192.0.2.1,192.0.2.2 alpn=h2,h3",
     "1 . alpn=\"h2,h3\" port=\"53\" ipv4hint=\"192.0.2.1,192.0.2.2\"", true},
    {"HTTPS",
     "16 foo.example.org. mandatory=ipv4hint,alpn alpn=\"h2,h3-19\" "
     "ipv4hint=192.0.2.1",
     "16 foo.example.org. mandatory=\"alpn,ipv4hint\" alpn=\"h2,h3-19\" "
     "ipv4hint=\"192.0.2.1\"",
     true},
    {"HTTPS", "1 . alpn=\"f\\\\\\\\oo\\\\,bar,h2\"", NULL, true},
    {"HTTPS", "1 . no-default-alpn alpn=h2 ipv6hint=2001:db8::1 key667=\"a\\210b\"",
     "1 . alpn=\"h2\" no-default-alpn ipv6hint=\"2001:db8::1\" key667=\"a\\210b\"", true},
    {"LOC", "52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000.00m 10.00m",
     "52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000.00m 10.00m", false},
    {"LOC", "42 21 54 N 71 06 18 W -24m 30m",
     "42 21 54.000 N 71 6 18.000 W -24.00m 30.00m 10000.00m 10.00m", false},
    {"LOC", "90 S 180 W 0", "90 0 0.000 S 180 0 0.000 W 0.00m 1.00m 10000.00m 10.00m",
     false},
    {"TYPE65280", "\\# 3 0a0b0c", NULL, false},
    {"TYPE65280", "\\# 0", NULL, false},
    {"A", "\\# 4 c0000201", "192.0.2.1", false},
    {"MX", "\\# 3 000a 00", "10 .", true},
};

static const struct {
    const char *type, *text;
} bad[] = {
    {"A", ""},
    {"A", "192.0.2.256"},
    {"A", "192.0.2.1 x"},
    {"A", "2001:db8::1"},
    {"AAAA", "192.0.2.1"},
    {"NS", "a..b."},
    {"MX", "mail.example.com."},
    {"MX", "65536 mail."},
    {"MX", "-1 mail."},
    {"MX", "10"},
    {"TXT", ""},
    {"TXT", "\"open"},
    {"TXT", "\"bad \\256\""},
    {"TXT", "end\\"},
    {"SOA", "a. b. 1 2 3 4"},
    {"SOA", "a. b. 1 2 3 4 5y"},
    {"SRV", "0 0 99999 a."},
    {"CAA", "0 is-sue \"x\""},
    {"CAA", "0 \"\" \"x\""},
    {"TLSA", "3 1 1 0"},
    {"TLSA", "3 1 1 zz"},
    {"TLSA", "3 1 1"},
    {"DS", "1 FOO 1 00"},
    {"RRSIG", "A 5 3 1 20031322173103 20030220173103 1 a. AAAA"},
    {"NSEC", "a. NOTATYPE"},
    {"DNSKEY", "256 3 5 !!!"},
    {"LOC", "91 N 1 E 0m"},
    {"LOC", "1 60 N 1 E 0m"},
    {"LOC", "1 0 0.0001 N 1 E 0m"},
    {"LOC", "1 N 1 E"},
    {"LOC", "1 N 1 E -100001m"},
    {"EUI48", "00-00-5e-00-53"},
    {"SVCB", "1 . port=x"},
    {"SVCB", "1 . port=1 port=2"},
    {"SVCB", "1 . foo=1"},
    {"SVCB", "1 . mandatory=alpn port=1"},
    {"SVCB", "1 . no-default-alpn=1"},
    {"SVCB", "1 . alpn=h2,"},
    {"SVCB", "1 . alpn=,h2"},
    {"TYPE65280", "text"},
    {"TYPE65280", "\\# 2 00"},
    {"TYPE65280", "\\# x 00"},
    {"A", "\\# 3 c00002"},
};

static int parse(const char *type_name, const char *text, uint16_t *type,
                 struct buf *wire, struct err *err)
{
    struct dname origin;
    size_t n = strlen(text);
    uint8_t *copy = mem_dup(text, n > 0 ? n : 1);
    int rc;

    assert_int_equal(dname_parse(SPAN_LIT("example.org."), NULL, &origin), DNAME_OK);
    assert_true(rrtype_parse(span_str(type_name), type));
    rc = rdata_parse(*type, span_of(copy, n), &origin, wire, err);
    free(copy);
    return rc;
}

static void assert_oracle(const char *type, const char *text, struct span wire)
{
    char line[2000];
    ldns_rr *rr = NULL;
    uint8_t *octets = NULL;
    size_t n;

    (void)snprintf(line, sizeof(line), "x. 1 IN %s %s", type, text);
    if (ldns_rr_new_frm_str(&rr, line, 0, NULL, NULL) != LDNS_STATUS_OK)
        fail_msg("ldns does not read: %s", line);
    assert_int_equal(ldns_rr2wire(&octets, rr, LDNS_SECTION_ANSWER, &n), LDNS_STATUS_OK);
    assert_int_equal(n, 13 + wire.n);
    assert_memory_equal(octets + 13, wire.p, wire.n);
    free(octets);
    ldns_rr_free(rr);
}

static void test_good_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct buf wire;
        struct buf text;
        struct buf again;
        struct err err = {0};
        uint16_t type;

        buf_init(&wire, RDATA_MAX);
        buf_init(&again, RDATA_MAX);
        buf_init(&text, 4 * RDATA_MAX);
        if (parse(good[i].type, good[i].text, &type, &wire, &err) != 0)
            fail_msg("%s %s: %s", good[i].type, good[i].text, err.text);
        assert_true(rdata_is_valid(type, buf_all(&wire)));
        if (!good[i].no_oracle)
            assert_oracle(good[i].type, good[i].text, buf_all(&wire));
        assert_int_equal(rdata_print(type, buf_all(&wire), &text), 0);
        assert_string_equal(buf_cstr(&text),
                            good[i].want != NULL ? good[i].want : good[i].text);
        assert_int_equal(parse(good[i].type, buf_cstr(&text), &type, &again, &err), 0);
        assert_true(span_eq(buf_all(&again), buf_all(&wire)));
        buf_free(&wire);
        buf_free(&again);
        buf_free(&text);
    }
}

static void test_bad_text_is_refused_with_a_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct buf wire;
        struct err err = {0};
        uint16_t type;

        buf_init(&wire, RDATA_MAX);
        if (parse(bad[i].type, bad[i].text, &type, &wire, &err) == 0)
            fail_msg("accepted: %s %s", bad[i].type, bad[i].text);
        assert_int_equal(wire.len, 0);
        assert_true(strlen(err.text) > 10);
        buf_free(&wire);
    }
}

static void test_reasons_read_well(void **state)
{
    struct buf wire;
    struct err err = {0};
    uint16_t type;

    (void)state;
    buf_init(&wire, RDATA_MAX);
    assert_int_equal(parse("MX", "ten mail.", &type, &wire, &err), -1);
    assert_string_equal(err.text, "MX: expected a number from 0 to 65535, found \"ten\"");
    assert_int_equal(parse("A", "1.2.3.4 5", &type, &wire, &err), -1);
    assert_string_equal(err.text, "A: something is left over behind the data");
    buf_free(&wire);
}

/* Every cut of valid rdata, and every octet changed, must be judged without over-read. */
static void test_cut_and_changed_wire(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct buf wire;
        struct err err;
        uint16_t type;

        buf_init(&wire, RDATA_MAX);
        assert_int_equal(parse(good[i].type, good[i].text, &type, &wire, &err), 0);
        for (size_t n = 0; n <= wire.len; n++) {
            uint8_t *copy = n > 0 ? mem_dup(wire.data, n) : mem_new(1, 1);
            struct buf text;
            struct span name;
            size_t at = 0;

            buf_init(&text, 4 * RDATA_MAX);
            if (n > 0)
                copy[n - 1] ^= 0x55;
            (void)rdata_is_valid(type, span_of(copy, n));
            while (rdata_next_name(type, span_of(copy, n), &at, &name))
                assert_int_equal(dname_check(name), name.n);
            assert_int_equal(rdata_print(type, span_of(copy, n), &text), 0);
            buf_reset(&text);
            (void)!rdata_unpack(type, span_of(copy, n), 0, n, &text);
            buf_free(&text);
            free(copy);
        }
        buf_free(&wire);
    }
}

static void test_names_inside(void **state)
{
    static const uint8_t soa[] = "\1a\0\1b\0"
                                 "01234567890123456789";
    struct span wire = span_of(soa, sizeof(soa) - 1);
    struct span name;
    size_t at = 0;

    (void)state;
    assert_true(rdata_next_name(RR_SOA, wire, &at, &name));
    assert_memory_equal(name.p, "\1a", 3);
    assert_true(rdata_next_name(RR_SOA, wire, &at, &name));
    assert_memory_equal(name.p, "\1b", 3);
    assert_false(rdata_next_name(RR_SOA, wire, &at, &name));
}

static void test_equality_ignores_case_of_names_only(void **state)
{
    (void)state;
    assert_true(rdata_eq(RR_MX, SPAN_LIT("\0\12\1A\0"), SPAN_LIT("\0\12\1a\0")));
    assert_false(rdata_eq(RR_MX, SPAN_LIT("\0A\1A\0"), SPAN_LIT("\0a\1a\0")));
    assert_false(rdata_eq(RR_TXT, SPAN_LIT("\1A"), SPAN_LIT("\1a")));
    assert_false(rdata_eq(RR_TXT, SPAN_LIT("\1A"), SPAN_LIT("\2Aa")));
}

static void test_ready_made(void **state)
{
    struct rdata_soa in = {dname_root(), dname_root(), 1, 2, 3, 4, 5};
    struct rdata_soa out;
    struct buf wire;
    uint8_t long_text[600];

    (void)state;
    memset(long_text, 'x', sizeof(long_text));
    buf_init(&wire, RDATA_MAX);
    assert_int_equal(rdata_put_txt(&wire, span_of(long_text, sizeof(long_text))), 0);
    assert_int_equal(wire.len, 603);
    assert_int_equal(wire.data[512], 90);
    assert_true(rdata_is_valid(RR_TXT, buf_all(&wire)));
    buf_reset(&wire);
    assert_int_equal(rdata_put_txt(&wire, span_of(NULL, 0)), 0);
    assert_int_equal(wire.len, 1);
    buf_reset(&wire);
    assert_int_equal(rdata_put_mx(&wire, 10, dname_root()), 0);
    assert_true(rdata_is_valid(RR_MX, buf_all(&wire)));
    buf_reset(&wire);
    assert_int_equal(rdata_put_srv(&wire, 1, 2, 3, dname_root()), 0);
    assert_true(rdata_is_valid(RR_SRV, buf_all(&wire)));
    buf_reset(&wire);
    assert_int_equal(rdata_put_soa(&wire, &in), 0);
    assert_true(rdata_get_soa(buf_all(&wire), &out));
    assert_int_equal(out.serial, 1);
    assert_int_equal(out.minimum_s, 5);
    assert_false(rdata_get_soa(span_take(buf_all(&wire), 10), &out));
    buf_free(&wire);
    buf_init(&wire, 4);
    assert_int_equal(rdata_put_soa(&wire, &in), -1);
    assert_int_equal(wire.len, 0);
    buf_free(&wire);
}

static void test_type_table(void **state)
{
    uint16_t type;
    char text[RRTYPE_TEXT];

    (void)state;
    for (unsigned i = 0; i < 65536; i++) {
        const struct rrtype *t = rrtype_find((uint16_t)i);

        assert_true(t == NULL || t->number == i);
        assert_true(rrtype_parse(span_str(rrtype_print((uint16_t)i, text)), &type));
        assert_int_equal(type, i);
    }
    assert_true(rrtype_parse(SPAN_LIT("mx"), &type));
    assert_int_equal(type, RR_MX);
    assert_false(rrtype_parse(SPAN_LIT("TYPE65536"), &type));
    assert_false(rrtype_parse(SPAN_LIT("TYPE"), &type));
    assert_true(rrclass_parse(SPAN_LIT("CLASS1"), &type));
    assert_int_equal(type, RRCLASS_IN);
    assert_false(rrclass_parse(SPAN_LIT("XX"), &type));
    assert_string_equal(rcode_name(3), "NXDOMAIN");
    assert_string_equal(rcode_name(16), "BADVERS");
    assert_null(rcode_name(99));
}

/* RFC 1876 2: what text cannot say is printed by its octets, so that it reads back. */
static void test_loc_that_is_no_place(void **state)
{
    static const struct {
        const char *octets;
        bool want;
    } cases[] = {
        {"\x00\x12\x16\x13\x80\x00\x00\x00\x80\x00\x00\x00\x00\x98\x96\x80", true},
        {"\x00\x12\x16\x13\x93\x4f\xd9\x01\x80\x00\x00\x00\x00\x98\x96\x80", false},
        {"\x00\x12\x16\x13\x80\x00\x00\x00\x00\x00\x00\x00\x00\x98\x96\x80", false},
        {"\x00\x02\x16\x13\x80\x00\x00\x00\x80\x00\x00\x00\x00\x98\x96\x80", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct span wire = span_of(cases[i].octets, 16);
        struct buf text, again;
        struct err err;

        buf_init(&text, 1000);
        buf_init(&again, 100);
        assert_int_equal(rdata_is_valid(RR_LOC, wire), cases[i].want);
        assert_int_equal(rdata_print(RR_LOC, wire, &text), 0);
        assert_int_equal(buf_all(&text).p[0] == '\\', !cases[i].want);
        if (cases[i].want) {
            assert_int_equal(rdata_parse(RR_LOC, buf_all(&text), NULL, &again, &err), 0);
            assert_true(span_eq(wire, buf_all(&again)));
        }
        buf_free(&text);
        buf_free(&again);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_text),
        cmocka_unit_test(test_bad_text_is_refused_with_a_reason),
        cmocka_unit_test(test_reasons_read_well),
        cmocka_unit_test(test_cut_and_changed_wire),
        cmocka_unit_test(test_names_inside),
        cmocka_unit_test(test_equality_ignores_case_of_names_only),
        cmocka_unit_test(test_ready_made),
        cmocka_unit_test(test_type_table),
        cmocka_unit_test(test_loc_that_is_no_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
