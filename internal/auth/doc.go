// Package auth says who a request comes from: passwords, tokens and their revocation.
//
// A token is a JWT signed with HS256 by a secret that all processes of one data folder share. It
// says who the user is, so that the database is asked once a token and not once a request:
//
//	login ──▶ password checked ──▶ token ──▶ every request: Verify ──▶ cache hit ──▶ identity
//	                                                          └─ miss: signature, expiry, account, revoked?
//	logout, new password ──▶ revocation in the store ──every 500 ms──▶ each process drops the token
//
// Passwords are kept as argon2id in the PHC string format. Hashes of the earlier system (PBKDF2) are
// accepted and replaced at the first login.
package auth
