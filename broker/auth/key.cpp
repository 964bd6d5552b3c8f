#include "broker/auth/key.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <array>
#include <utility>

namespace weir {
namespace {

constexpr std::size_t kP256Bytes = 32;
constexpr std::size_t kEd25519KeyBytes = 32;
constexpr std::size_t kEd25519SignatureBytes = 64;

template <auto Free>
struct Freeing {
  template <typename T>
  void operator()(T* what) const {
    Free(what);
  }
};
using Bio = std::unique_ptr<BIO, Freeing<BIO_free_all>>;
using Number = std::unique_ptr<BIGNUM, Freeing<BN_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Freeing<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freeing<EVP_MD_CTX_free>>;
using ParameterBuilder = std::unique_ptr<OSSL_PARAM_BLD, Freeing<OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, Freeing<OSSL_PARAM_free>>;
using EcdsaSignature = std::unique_ptr<ECDSA_SIG, Freeing<ECDSA_SIG_free>>;

// Empties OpenSSL's error queue, so that this thread's next call does not find our errors in it.
struct ErrorsForgotten {
  ~ErrorsForgotten() { ERR_clear_error(); }
};

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Number number_of(std::string_view bytes) {
  return Number(BN_bin2bn(bytes_of(bytes), static_cast<int>(bytes.size()), nullptr));
}

EVP_PKEY* make_key(const char* type, OSSL_PARAM_BLD& builder) {
  const Parameters parameters(OSSL_PARAM_BLD_to_param(&builder));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1) return nullptr;
  if (EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) return nullptr;
  return key;
}

// One -----BEGIN … END----- block of a text.
class PemBlock {
 public:
  PemBlock() = default;
  ~PemBlock() {
    OPENSSL_free(name_);
    OPENSSL_free(header_);
    OPENSSL_free(data_);
  }
  PemBlock(const PemBlock&) = delete;
  PemBlock& operator=(const PemBlock&) = delete;

  // Reads the next block; false if there is none or it can't be read. Call it once.
  bool read(BIO& bio) { return PEM_read_bio(&bio, &name_, &header_, &data_, &size_) == 1; }
  std::string_view name() const { return name_; }
  // nullptr if the block holds no public key.
  EVP_PKEY* public_key() const {
    const unsigned char* at = data_;
    return d2i_PUBKEY(nullptr, &at, size_);
  }

 private:
  char* name_ = nullptr;
  char* header_ = nullptr;
  unsigned char* data_ = nullptr;
  long size_ = 0;  // NOLINT(google-runtime-int): as OpenSSL has it.
};

// Refuses a point at infinity or off its curve, and an even modulus.
bool is_sound(EVP_PKEY* key) {
  const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  return context && EVP_PKEY_public_check(context.get()) == 1;
}

bool is_p256(const EVP_PKEY* key) {
  std::array<char, 64> name{};
  std::size_t size = 0;
  return EVP_PKEY_get_group_name(key, name.data(), name.size(), &size) == 1 &&
         std::string_view(name.data(), size) == SN_X9_62_prime256v1;
}

// The two numbers of a token's ES256 signature, 32 bytes each (RFC 7518, 3.4), as the DER that OpenSSL reads.
std::string ecdsa_der(std::string_view signature) {
  if (signature.size() != 2 * kP256Bytes) return {};
  Number r = number_of(signature.substr(0, kP256Bytes));
  Number s = number_of(signature.substr(kP256Bytes));
  const EcdsaSignature both(ECDSA_SIG_new());
  if (!r || !s || !both) return {};
  ECDSA_SIG_set0(both.get(), r.release(), s.release());
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(both.get(), &der);
  if (size <= 0) return {};
  std::string text(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return text;
}

bool verifies_hmac(const std::string& secret, std::string_view text, std::string_view signature) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), bytes_of(text), text.size(),
           digest.data(), &size) == nullptr) {
    return false;
  }
  return signature.size() == size && CRYPTO_memcmp(digest.data(), signature.data(), size) == 0;
}

bool verifies_public(EVP_PKEY* key, const EVP_MD* digest, std::string_view text, std::string_view signature) {
  const DigestContext context(EVP_MD_CTX_new());
  return context && EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key) == 1 &&
         EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(text),
                          text.size()) == 1;
}

}  // namespace

std::optional<Algorithm> parse_algorithm(std::string_view name) {
  if (name == "HS256") return Algorithm::kHs256;
  if (name == "RS256") return Algorithm::kRs256;
  if (name == "ES256") return Algorithm::kEs256;
  if (name == "EdDSA" || name == "Ed25519") return Algorithm::kEdDsa;
  return std::nullopt;
}

void Key::Free::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }

Key::Key(Algorithm algorithm, std::string secret, Handle handle)
    : algorithm_(algorithm), secret_(std::move(secret)), handle_(std::move(handle)) {}

Result<Key> Key::from_secret(std::string secret) {
  if (secret.size() < kSecretBytesMin) {
    return Error{"has " + std::to_string(secret.size()) + " bytes; a secret has at least " +
                 std::to_string(kSecretBytesMin)};
  }
  if (secret.find("-----BEGIN ") != std::string::npos)
    return Error{"is a PEM text, which is no secret; a public key belongs in jwt-public-key-file"};
  return Key(Algorithm::kHs256, std::move(secret), nullptr);
}

Result<Key> Key::from_rsa(std::string_view modulus, std::string_view exponent) {
  const ErrorsForgotten forgotten;
  const ParameterBuilder builder(OSSL_PARAM_BLD_new());
  const Number n = number_of(modulus);
  const Number e = number_of(exponent);
  if (!builder || !n || !e || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return Error{"is no RSA key"};
  }
  return from_handle(Handle(make_key("RSA", *builder)));
}

Result<Key> Key::from_p256(std::string_view x, std::string_view y) {
  const ErrorsForgotten forgotten;
  if (x.size() != kP256Bytes || y.size() != kP256Bytes)
    return Error{"is no P-256 key: x and y have 32 bytes each"};
  // Both coordinates, uncompressed.
  const std::string point = std::string(1, '\x04').append(x).append(y);
  const ParameterBuilder builder(OSSL_PARAM_BLD_new());
  if (!builder ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, SN_X9_62_prime256v1, 0) !=
          1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) !=
          1) {
    return Error{"is no P-256 key"};
  }
  return from_handle(Handle(make_key("EC", *builder)));
}

Result<Key> Key::from_ed25519(std::string_view x) {
  const ErrorsForgotten forgotten;
  if (x.size() != kEd25519KeyBytes) return Error{"is no Ed25519 key: x has 32 bytes"};
  return from_handle(Handle(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(x), x.size())));
}

Result<std::vector<Key>> Key::from_pem(const std::string& text) {
  const ErrorsForgotten forgotten;
  const Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  std::vector<Key> keys;
  while (bio) {
    PemBlock block;
    ERR_clear_error();
    if (!block.read(*bio)) {
      // The last error is "no start line" after the last block, unless a block was begun that can't be read.
      if (keys.empty() || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        return Error{"is no PEM text of public keys (-----BEGIN PUBLIC KEY-----)"};
      break;
    }
    const std::string_view name = block.name();
    if (name.ends_with("PRIVATE KEY"))
      return Error{"holds a private key; the gateway needs the public key alone (openssl pkey -pubout)"};
    if (name != "PUBLIC KEY")
      return Error{"holds another PEM block than PUBLIC KEY (openssl pkey -pubin, openssl x509 -pubkey)"};
    auto key = from_handle(Handle(block.public_key()));
    if (!key) return key.error();
    keys.push_back(std::move(*key));
  }
  return keys;
}

Result<Key> Key::from_handle(Handle handle) {
  if (!handle) return Error{"is no public key"};
  switch (EVP_PKEY_get_base_id(handle.get())) {
    case EVP_PKEY_RSA: {
      const int bits = EVP_PKEY_get_bits(handle.get());
      if (bits < kRsaBitsMin || bits > kRsaBitsMax) {
        return Error{"is an RSA key of " + std::to_string(bits) + " bits; " + std::to_string(kRsaBitsMin) +
                     " to " + std::to_string(kRsaBitsMax) + " are accepted"};
      }
      if (!is_sound(handle.get())) return Error{"is a broken RSA key"};
      return Key(Algorithm::kRs256, "", std::move(handle));
    }
    case EVP_PKEY_EC:
      if (!is_p256(handle.get())) return Error{"is an EC key of another curve than P-256 (ES256)"};
      if (!is_sound(handle.get())) return Error{"is a broken EC key"};
      return Key(Algorithm::kEs256, "", std::move(handle));
    case EVP_PKEY_ED25519:
      return Key(Algorithm::kEdDsa, "", std::move(handle));
    default:
      return Error{"is a key of another kind than RSA, EC P-256 and Ed25519"};
  }
}

bool Key::verifies(std::string_view text, std::string_view signature) const {
  const ErrorsForgotten forgotten;
  switch (algorithm_) {
    case Algorithm::kHs256:
      return verifies_hmac(secret_, text, signature);
    case Algorithm::kRs256:
      return signature.size() == static_cast<std::size_t>(EVP_PKEY_get_size(handle_.get())) &&
             verifies_public(handle_.get(), EVP_sha256(), text, signature);
    case Algorithm::kEs256: {
      const std::string der = ecdsa_der(signature);
      return !der.empty() && verifies_public(handle_.get(), EVP_sha256(), text, der);
    }
    case Algorithm::kEdDsa:
      return signature.size() == kEd25519SignatureBytes &&
             verifies_public(handle_.get(), nullptr, text, signature);
  }
  return false;
}

}  // namespace weir
