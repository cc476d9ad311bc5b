// Package monitor runs the periodic check of the platform.
//
//	every 30 s, one runner a slot
//	    |
//	 1 health check of the API --- fails ---------------------------> health_check_failed
//	    |
//	 2 a random number             (statistical: the drift scores of the latest predictions
//	    |                           against the window pinned to the active version)
//	 3 below 0.5 is drift ------- no -------------------------------> none
//	    |                          (statistical: significant and large enough; in the
//	    |                           cooldown after a retraining ------> cooldown;
//	    |                           where the last retraining did not
//	    |                           end it and no data came since ----> new_data_needed)
//	 4 retrain, by the API -------------------------> retrained, retrain_rejected,
//	    |                                             retrain_failed, retrain_started
//	 5 tell people of what changed
//
// With the detector "random" this is the documented flow to the letter; "statistical" puts a
// measurement in the place of steps 2 and 3. Scores and trends are measured and recorded in both.
package monitor
