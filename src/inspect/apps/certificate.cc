#include "inspect/apps/certificate.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "inspect/apps/digest.h"

namespace weir::inspect::apps {
namespace {

template <auto kFree>
struct Freed {
  template <typename T>
  void operator()(T* what) const {
    kFree(what);
  }
};

/// "C=DE, O=Example, CN=example.org"
std::string name_text(const X509_NAME* name) {
  const std::unique_ptr<BIO, Freed<BIO_free>> out(BIO_new(BIO_s_mem()));
  if (!out || X509_NAME_print_ex(out.get(), name, 0,
                                 (XN_FLAG_ONELINE & ~static_cast<unsigned long>(XN_FLAG_SPC_EQ) & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB))) < 0)
    return {};
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(std::max(0L, size))};
}

std::string time_text(const ASN1_TIME* time) {
  tm t{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &t) != 1) return {};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec);
}

std::string serial_text(const X509* certificate) {
  const std::unique_ptr<BIGNUM, Freed<BN_free>> number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr));
  if (!number) return {};
  std::vector<unsigned char> octets(static_cast<std::size_t>(BN_num_bytes(number.get())));
  BN_bn2bin(number.get(), octets.data());
  if (octets.empty()) octets.push_back(0);
  return hex_digits(octets, ":", true);
}

}  // namespace

bool read_certificate(std::span<const std::byte> der, TlsRecord& record) {
  const auto* begin = reinterpret_cast<const unsigned char*>(der.data());
  const std::unique_ptr<X509, Freed<X509_free>> certificate(d2i_X509(nullptr, &begin, static_cast<long>(der.size())));
  if (!certificate) {
    ERR_clear_error();
    return false;
  }
  record.subject = name_text(X509_get_subject_name(certificate.get()));
  record.issuer = name_text(X509_get_issuer_name(certificate.get()));
  record.serial = serial_text(certificate.get());
  record.fingerprint = digest(EVP_sha1(), der.data(), der.size(), ":");
  record.not_before = time_text(X509_get0_notBefore(certificate.get()));
  record.not_after = time_text(X509_get0_notAfter(certificate.get()));
  const std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS) continue;
    record.subject_alt_names.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                                          static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
  }
  ERR_clear_error();
  return true;
}

}  // namespace weir::inspect::apps
