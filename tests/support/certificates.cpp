#include "tests/support/certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>

namespace weir {
namespace {

constexpr long kDay = 24 * 60 * 60;

void check(bool is_good, const char* what) {
  if (!is_good) throw std::runtime_error(std::string("can't make certificates: ") + what);
}

template <auto kFree>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using CertificatePtr = std::unique_ptr<X509, Free<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using FilePtr = std::unique_ptr<std::FILE, Free<std::fclose>>;

FilePtr create(const std::string& path) {
  FilePtr file(std::fopen(path.c_str(), "we"));
  check(file != nullptr, path.c_str());
  return file;
}

void write_certificate(const std::string& path, const X509& certificate) {
  check(PEM_write_X509(create(path).get(), &certificate) == 1, "PEM_write_X509");
}

void add_extension(X509& certificate, X509& issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, &issuer, &certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  check(extension != nullptr, value.c_str());
  X509_add_ext(&certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

}  // namespace

struct CertificateAuthority::Identity {
  CertificatePtr certificate{X509_new()};
  KeyPtr key{EVP_EC_gen("P-256")};

  Identity(const std::string& name, int serial, bool is_expired) {
    check(certificate != nullptr && key != nullptr, "out of memory");
    X509_set_version(certificate.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -2 * kDay);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), is_expired ? -kDay : kDay);
    X509_set_pubkey(certificate.get(), key.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  }
  void sign_by(const Identity& issuer) {
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer.certificate.get()));
    check(X509_sign(certificate.get(), issuer.key.get(), EVP_sha256()) > 0, "X509_sign");
  }
};

CertificateAuthority::CertificateAuthority() {
  std::string name = (std::filesystem::temp_directory_path() / "weir-ca-XXXXXX").string();
  check(::mkdtemp(name.data()) != nullptr, "mkdtemp");
  folder_ = name;
  ca_ = std::make_unique<Identity>("weir test CA", 1, false);
  X509& certificate = *ca_->certificate;
  add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign");
  ca_->sign_by(*ca_);
  file_ = (folder_ / "ca.pem").string();
  write_certificate(file_, certificate);
}

CertificateAuthority::~CertificateAuthority() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

CertificateAuthority::Issued CertificateAuthority::issue(const std::string& names, bool is_expired) {
  const std::string base = (folder_ / std::to_string(++issued_)).string();
  Identity identity("weir test", issued_ + 1, is_expired);
  add_extension(*identity.certificate, *ca_->certificate, NID_subject_alt_name, names);
  identity.sign_by(*ca_);
  write_certificate(base + ".pem", *identity.certificate);
  check(PEM_write_PrivateKey(create(base + ".key").get(), identity.key.get(), nullptr, nullptr, 0, nullptr,
                             nullptr) == 1,
        "PEM_write_PrivateKey");
  return {base + ".pem", base + ".key"};
}

}  // namespace weir
