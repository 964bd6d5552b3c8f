#include "redis/redis_settings.h"

namespace weir {

std::vector<Setting> redis_file_settings(RedisFiles& files) {
  return {
      Setting::text(
          "redis-password-file", files.password,
          "A file with the password for Redis; the user, if any, stands in the URL. It is read again "
          "for each connection, as are the next three."),
      Setting::text(
          "redis-ca-file", files.ca,
          "With rediss://: the CAs in PEM that Redis' certificate may come from; empty: the system's."),
      Setting::text("redis-certificate-file", files.certificate,
                    "With rediss://: our own certificate in PEM, for a Redis that asks for one."),
      Setting::text("redis-key-file", files.key,
                    "The private key of redis-certificate-file, in PEM and without a passphrase."),
  };
}

}  // namespace weir
