// The records of applications in the log: http, tls, fileinfo, dns, as Suricata's EVE has them.
#include <fmt/format.h>

#include "report/eve.h"
#include "report/time_text.h"

namespace weir::report {
namespace {

using inspect::apps::DnsRecord;
using inspect::apps::FileRecord;
using inspect::apps::HttpRecord;
using inspect::apps::TlsRecord;

void given(JsonWriter& json, std::string_view name, const std::string& text) {
  if (!text.empty()) json.field(name, text);
}

void list(JsonWriter& json, std::string_view name, const std::vector<std::string>& texts) {
  if (texts.empty()) return;
  json.key(name).begin_array();
  for (const std::string& text : texts) json.value(text);
  json.end_array();
}

void write(JsonWriter& json, const HttpRecord& r, FileMagic&, bool) {
  json.field("tx_id", r.transaction).key("http").begin_object();
  given(json, "hostname", r.hostname);
  if (r.port) json.field("http_port", *r.port);
  given(json, "url", r.url);
  given(json, "http_user_agent", r.user_agent);
  given(json, "http_content_type", r.content_type);
  given(json, "http_refer", r.referer);
  given(json, "http_method", r.method);
  given(json, "protocol", r.protocol);
  if (r.status) json.field("status", *r.status);
  given(json, "redirect", r.redirect);
  json.field("length", r.response_bytes).end_object();
}

void write(JsonWriter& json, const TlsRecord& r, FileMagic&, bool) {
  json.key("tls").begin_object();
  given(json, "subject", r.subject);
  given(json, "issuerdn", r.issuer);
  given(json, "serial", r.serial);
  given(json, "fingerprint", r.fingerprint);
  if (r.session_resumed) json.field("session_resumed", true);
  given(json, "sni", r.sni);
  given(json, "version", r.version);
  given(json, "notbefore", r.not_before);
  given(json, "notafter", r.not_after);
  list(json, "subjectaltname", r.subject_alt_names);
  if (!r.ja3_hash.empty()) json.key("ja3").begin_object().field("hash", r.ja3_hash).field("string", r.ja3_string).end_object();
  if (!r.ja3s_hash.empty()) json.key("ja3s").begin_object().field("hash", r.ja3s_hash).field("string", r.ja3s_string).end_object();
  given(json, "ja4", r.ja4);
  list(json, "client_alpns", r.alpn_offered);
  if (!r.alpn_selected.empty()) list(json, "server_alpns", {r.alpn_selected});
  json.end_object();
}

void write(JsonWriter& json, const FileRecord& r, FileMagic& magic, bool stored) {
  json.field("tx_id", r.transaction).field("app_proto", "http").key("fileinfo").begin_object();
  json.field("filename", r.name);
  given(json, "magic", magic.of(r.beginning));
  json.field("gaps", r.gaps).field("state", r.complete ? "CLOSED" : "TRUNCATED");
  given(json, "sha256", r.sha256);
  json.field("stored", stored && r.complete).field("size", r.bytes).field("tx_id", r.transaction).end_object();
}

void write(JsonWriter& json, const DnsRecord& r, FileMagic&, bool) {
  json.field("app_proto", "dns").key("dns").begin_object();
  json.field("version", 2).field("type", r.response ? "answer" : "query").field("id", r.id);
  if (r.response) json.field("flags", fmt::format("{:x}", r.flags)).field("rcode", r.rcode);
  json.field("rrname", r.name).field("rrtype", r.type);
  if (!r.response) json.field("tx_id", r.transaction);
  if (!r.answers.empty()) {
    json.key("answers").begin_array();
    for (const auto& answer : r.answers) {
      json.begin_object().field("rrname", answer.name).field("rrtype", answer.type).field("ttl", answer.ttl_s);
      given(json, "rdata", answer.data);
      json.end_object();
    }
    json.end_array();
  }
  json.end_object();
}

std::string_view type_of(const HttpRecord&) { return "http"; }
std::string_view type_of(const TlsRecord&) { return "tls"; }
std::string_view type_of(const FileRecord&) { return "fileinfo"; }
std::string_view type_of(const DnsRecord&) { return "dns"; }

}  // namespace

void EveWriter::on_application(const engine::ApplicationRecord& record) {
  std::visit(
      [&](const auto& what) {
        JsonWriter json = begin(what.time_ns, type_of(what));
        tcp_flow(json, record.connection.endpoints);
        json.key("mptcp").begin_object().field("id", record.connection.id).end_object();
        write(json, what, magic_, files_stored_);
        end(json);
      },
      record.what);
}

}  // namespace weir::report
