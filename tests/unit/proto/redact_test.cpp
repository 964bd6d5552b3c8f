#include "proto/redact.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(Redact, HidesWhatHasTheFormOfAToken) {
  EXPECT_EQ(redacted("token eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.c2ln-_ is bad"), "token (redacted) is bad");
  EXPECT_EQ(redacted("eyJh.eyJi.x"), "(redacted)");
  EXPECT_EQ(redacted("/channels/xeyJh.eyJi.x/info"), "/channels/x(redacted)/info");
  EXPECT_EQ(redacted("a=eyJh.eyJi.&b=eyJh.eyJi.x"), "a=(redacted)&b=(redacted)");
  EXPECT_EQ(redacted("five parts: eyJh.a.b.c.d"), "five parts: (redacted)");
}

TEST(Redact, LeavesEverythingElse) {
  for (const char* text :
       {"", "eyJ", "eyJa.b", "a.b.c", "journey.JSON.x", "user:42@home", "http://localhost:8080/a@b"}) {
    EXPECT_EQ(redacted(text), text);
  }
}

TEST(Redact, HidesThePasswordsOfUrls) {
  EXPECT_EQ(redacted("at redis://user:pass:word@host:6379/0."), "at redis://user:***@host:6379/0.");
  EXPECT_EQ(redacted("http://:secret@host"), "http://:***@host");
  EXPECT_EQ(redacted("\"http://secret@host\" and rediss://u:p@@h"),
            "\"http://***@host\" and rediss://u:***@h");
  EXPECT_EQ(redacted("redis://u:***@h"), "redis://u:***@h");
}

}  // namespace
}  // namespace weir
