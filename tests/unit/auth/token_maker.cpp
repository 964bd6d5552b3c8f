#include "tests/unit/auth/token_maker.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <array>
#include <cassert>
#include <utility>
#include <vector>

namespace weir {
namespace {

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string text_of(const std::vector<unsigned char>& bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes.data()), size};
}

std::string pem_of(evp_pkey_st* key, bool is_public) {
  BIO* bio = BIO_new(BIO_s_mem());
  if (is_public) {
    PEM_write_bio_PUBKEY(bio, key);
  } else {
    PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  }
  char* text = nullptr;
  const auto size = static_cast<std::size_t>(BIO_get_mem_data(bio, &text));
  std::string pem(text, size);
  BIO_free_all(bio);
  return pem;
}

std::string member(const char* name, const std::string& value) {
  return std::string("\"") + name + "\":\"" + value + "\"";
}

}  // namespace

std::string encode_base64url(std::string_view bytes) {
  constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  unsigned held = 0;
  unsigned bits = 0;
  for (const char c : bytes) {
    held = (held << 8 | static_cast<unsigned char>(c)) & 0xffff;
    for (bits += 8; bits >= 6; bits -= 6) text += kAlphabet[held >> (bits - 6) & 63];
  }
  if (bits > 0) text += kAlphabet[held << (6 - bits) & 63];
  return text;
}

Signer::Signer(evp_pkey_st* key) : key_(key, EVP_PKEY_free) { assert(key != nullptr); }

Signer Signer::secret(std::string bytes) {
  Signer signer(EVP_PKEY_new());
  signer.secret_ = std::move(bytes);
  return signer;
}
Signer Signer::rsa(int bits) { return Signer(EVP_RSA_gen(static_cast<unsigned>(bits))); }
Signer Signer::rsa_pss() {
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, "RSA-PSS", nullptr);
  EVP_PKEY* key = nullptr;
  EVP_PKEY_keygen_init(context);
  EVP_PKEY_generate(context, &key);
  EVP_PKEY_CTX_free(context);
  return Signer(key);
}
Signer Signer::ec(const char* curve) { return Signer(EVP_EC_gen(curve)); }
Signer Signer::ed25519() { return Signer(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")); }

std::string Signer::sign_raw(std::string_view text) const {
  std::vector<unsigned char> bytes(2048);
  if (!secret_.empty()) {
    unsigned size = 0;
    HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()), bytes_of(text), text.size(),
         bytes.data(), &size);
    return text_of(bytes, size);
  }
  const EVP_MD* digest = EVP_PKEY_get_base_id(key_.get()) == EVP_PKEY_ED25519 ? nullptr : EVP_sha256();
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  std::size_t size = bytes.size();
  const bool is_signed = EVP_DigestSignInit(context, nullptr, digest, nullptr, key_.get()) == 1 &&
                         EVP_DigestSign(context, bytes.data(), &size, bytes_of(text), text.size()) == 1;
  EVP_MD_CTX_free(context);
  assert(is_signed);
  return is_signed ? text_of(bytes, size) : "";
}

std::string Signer::sign(std::string_view text) const {
  const std::string raw = sign_raw(text);
  if (!secret_.empty() || EVP_PKEY_get_base_id(key_.get()) != EVP_PKEY_EC) return raw;
  const unsigned char* at = bytes_of(raw);
  ECDSA_SIG* signature = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(raw.size()));
  const int half = (EVP_PKEY_get_bits(key_.get()) + 7) / 8;
  std::vector<unsigned char> bytes(2 * static_cast<std::size_t>(half));
  BN_bn2binpad(ECDSA_SIG_get0_r(signature), bytes.data(), half);
  BN_bn2binpad(ECDSA_SIG_get0_s(signature), bytes.data() + half, half);
  ECDSA_SIG_free(signature);
  return text_of(bytes, bytes.size());
}

std::string Signer::public_pem() const { return pem_of(key_.get(), true); }
std::string Signer::private_pem() const { return pem_of(key_.get(), false); }

std::string Signer::number(const char* name) const {
  BIGNUM* value = nullptr;
  EVP_PKEY_get_bn_param(key_.get(), name, &value);
  std::vector<unsigned char> bytes(static_cast<std::size_t>(BN_num_bytes(value)));
  BN_bn2bin(value, bytes.data());
  BN_free(value);
  return text_of(bytes, bytes.size());
}

std::string Signer::octets(const char* name) const {
  std::vector<unsigned char> bytes(256);
  std::size_t size = 0;
  EVP_PKEY_get_octet_string_param(key_.get(), name, bytes.data(), bytes.size(), &size);
  return text_of(bytes, size);
}

std::string Signer::jwk(const std::string& members) const {
  if (!secret_.empty())
    return "{" + members + member("kty", "oct") + "," + member("k", encode_base64url(secret_)) + "}";
  switch (EVP_PKEY_get_base_id(key_.get())) {
    case EVP_PKEY_RSA:
      return "{" + members + member("kty", "RSA") + "," +
             member("n", encode_base64url(number(OSSL_PKEY_PARAM_RSA_N))) + "," +
             member("e", encode_base64url(number(OSSL_PKEY_PARAM_RSA_E))) + "}";
    case EVP_PKEY_EC: {
      const std::string point = octets(OSSL_PKEY_PARAM_PUB_KEY);  // 4, x, y.
      const std::size_t half = (point.size() - 1) / 2;
      return "{" + members + member("kty", "EC") + "," +
             member("crv", "P-" + std::to_string(EVP_PKEY_get_bits(key_.get()))) + "," +
             member("x", encode_base64url(point.substr(1, half))) + "," +
             member("y", encode_base64url(point.substr(1 + half))) + "}";
    }
    default:
      return "{" + members + member("kty", "OKP") + "," + member("crv", "Ed25519") + "," +
             member("x", encode_base64url(octets(OSSL_PKEY_PARAM_PUB_KEY))) + "}";
  }
}

std::string make_token(const Signer& signer, std::string_view header, std::string_view payload) {
  const std::string text = encode_base64url(header) + "." + encode_base64url(payload);
  return text + "." + encode_base64url(signer.sign(text));
}

}  // namespace weir
