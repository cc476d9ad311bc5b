package auth

import (
	"testing"
	"time"

	"iacontinu/internal/ml"
)

func BenchmarkVerifyHit(b *testing.B) {
	s := newTestSigner(b, time.Now)
	svc, err := New(b.Context(), Options{Signer: s, Users: &memory{users: []ml.Credentials{{User: ml.User{ID: 7, Username: "testuser", Active: true}}}}, Revocations: &memory{}})
	if err != nil {
		b.Fatal(err)
	}
	token, _, _ := s.sign(ml.Identity{UserID: 7, Username: "testuser", Role: ml.RoleUser}, TokenLife)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := svc.Verify(b.Context(), token); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkVerifyMiss(b *testing.B) {
	s := newTestSigner(b, time.Now)
	token, _, _ := s.sign(ml.Identity{UserID: 7, Username: "testuser", Role: ml.RoleUser}, TokenLife)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.parse(token); err != nil {
			b.Fatal(err)
		}
	}
}
