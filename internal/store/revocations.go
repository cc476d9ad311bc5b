package store

import (
	"context"
	"fmt"

	"iacontinu/internal/ml"
)

type revocationRow struct {
	ID        int64
	JTI       string `gorm:"column:jti"`
	UserID    int64
	NotBefore precise
	ExpiresAt precise
}

func (revocationRow) TableName() string { return "token_revocations" }

// Revoke makes tokens invalid from now on.
func (s *Store) Revoke(ctx context.Context, r ml.Revocation) error {
	row := rowOfRevocation(r)
	if err := s.write.WithContext(ctx).Create(&row).Error; err != nil {
		return fmt.Errorf("store: revoke: %w", coded(err))
	}
	return nil
}

func rowOfRevocation(r ml.Revocation) revocationRow {
	return revocationRow{
		JTI:       r.JTI,
		UserID:    r.UserID,
		NotBefore: precise{timestamp{r.NotBefore}},
		ExpiresAt: precise{timestamp{r.ExpiresAt}},
	}
}

// Revocations reads the revocations with an id above afterID, oldest first. Ids only rise, so that
// a follower reads on from the last it has seen and misses none.
func (s *Store) Revocations(ctx context.Context, afterID int64) ([]ml.Revocation, error) {
	var rows []revocationRow
	if err := s.read.WithContext(ctx).Where("id > ?", afterID).Order("id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("store: read revocations: %w", coded(err))
	}
	out := make([]ml.Revocation, len(rows))
	for i, r := range rows {
		out[i] = ml.Revocation{
			ID: r.ID, JTI: r.JTI, UserID: r.UserID, NotBefore: r.NotBefore.Time, ExpiresAt: r.ExpiresAt.Time,
		}
	}
	return out, nil
}
