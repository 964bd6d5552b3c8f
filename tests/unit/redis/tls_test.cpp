#include "redis/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "tests/support/certificates.h"

namespace weir {
namespace {

using ::testing::HasSubstr;

struct FreeSession {
  void operator()(SSL* session) const { SSL_free(session); }
};

TEST(Tls, SpeaksNothingOlderThanTls12AndNeverRenegotiates) {
  const auto context = make_tls_context({});
  ASSERT_TRUE(context);
  EXPECT_EQ(SSL_CTX_get_min_proto_version(context->get()), TLS1_2_VERSION);
  EXPECT_NE(SSL_CTX_get_options(context->get()) & SSL_OP_NO_RENEGOTIATION, 0u);
  EXPECT_EQ(SSL_CTX_get_verify_mode(context->get()), SSL_VERIFY_PEER);
}

TEST(Tls, SendsANameAlongButNoAddress) {
  const auto context = make_tls_context({});
  const auto sent = [&](const std::string& host) -> std::string {
    const std::unique_ptr<SSL, FreeSession> session(SSL_new(context->get()));
    EXPECT_TRUE(expect_host(*session, host)) << host;
    const char* name = SSL_get_servername(session.get(), TLSEXT_NAMETYPE_host_name);
    return name == nullptr ? "" : name;
  };
  EXPECT_EQ(sent("redis.example"), "redis.example");
  EXPECT_EQ(sent("redis.example."), "redis.example");
  EXPECT_EQ(sent("192.0.2.1"), "");
  EXPECT_EQ(sent("2001:db8::1"), "");
}

TEST(Tls, DoesNotBeginWhereNoCertificateCouldBeForTheHost) {
  const auto context = make_tls_context({});
  for (const std::string& host : {std::string(), std::string("."), std::string(300, 'x')}) {
    const std::unique_ptr<SSL, FreeSession> session(SSL_new(context->get()));
    EXPECT_FALSE(expect_host(*session, host)) << host;
  }
}

TEST(Tls, RefusesAKeyWithAPassphraseInsteadOfAskingForIt) {
  CertificateAuthority ca;
  const auto ours = ca.issue("DNS:weir");
  const std::string path = ours.key + ".encrypted";
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new_file(ours.key.c_str(), "r"), BIO_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new_file(path.c_str(), "w"), BIO_free);
  const std::string passphrase = "secret";
  ASSERT_EQ(PEM_write_bio_PrivateKey(out.get(), key.get(), EVP_aes_128_cbc(),
                                     reinterpret_cast<const unsigned char*>(passphrase.data()),
                                     static_cast<int>(passphrase.size()), nullptr, nullptr),
            1);
  ASSERT_EQ(BIO_flush(out.get()), 1);
  const auto context = make_tls_context({.certificate = ours.certificate, .key = path});
  ASSERT_FALSE(context);
  EXPECT_THAT(context.error().message, HasSubstr("without a passphrase"));
}

TEST(Tls, TellsWhatAnErrorMeans) {
  EXPECT_EQ(tls_error_text(ERR_PACK(ERR_LIB_SSL, 0, SSL_R_WRONG_VERSION_NUMBER)),
            "TLS: what answers on this port does not speak TLS");
  EXPECT_THAT(tls_error_text(ERR_PACK(ERR_LIB_SSL, 0, SSL_R_TLSV1_ALERT_UNKNOWN_CA)),
              HasSubstr("unknown ca"));
  EXPECT_EQ(tls_error_text(ERR_PACK(ERR_LIB_USER, 0, 99)).find("TLS: "), 0u);
}

}  // namespace
}  // namespace weir
